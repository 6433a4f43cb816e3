-- Imported LLM and MLLM rows as ML.ENERGY's compiled data set has them; what was not published is NULL.
with language_rows as (
    select
        * exclude (architecture, batch_size),
        batch_size as max_num_seqs
    from configurations
    where architecture <> 'diffusion'
)

select
    'llm' as domain,
    language_rows.*,
    models.architecture,
    models.total_params_billions,
    models.activated_params_billions,
    cast(null as integer) as seed,
    cast(null as integer) as num_request_repeats,
    cast(null as double) as steady_state_energy_joules,
    cast(null as double) as steady_state_duration_seconds,
    cast(null as double) as request_throughput_req_per_sec,
    cast(null as double) as total_output_tokens,
    cast(null as double) as mean_itl_ms,
    language_rows.median_itl_ms as p50_itl_ms,
    true as is_stable,
    '' as unstable_reason,
    '' as results_path,
    '' as prometheus_path
from language_rows
inner join models on language_rows.model_id = models.model_id
