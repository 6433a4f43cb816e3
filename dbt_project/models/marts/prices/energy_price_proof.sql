with proofs as (

    select * from {{ ref('int_price_proofs') }}

),

lists as (

    select
        price_list_id,
        is_proven
    from {{ ref('int_price_lists') }}

),

models as (

    select * from {{ ref('int_models') }}

)

select
    proofs.proof_id,
    proofs.price_list_id,
    proofs.data_source,
    coalesce(models.nickname, proofs.model_id) as nickname,
    {{ identity_columns('proofs') }},
    proofs.runs,
    proofs.run_ids,
    proofs.last_measured_at,
    proofs.output_tokens,
    proofs.mean_in_flight,
    proofs.mean_context_tokens,
    proofs.measured_joules,
    proofs.predicted_joules,
    proofs.error,
    proofs.is_within_measured,
    proofs.is_on_fitted_gpus,
    lists.is_proven
from proofs
inner join lists using (price_list_id)
left join models on proofs.model_id = models.model_id and proofs.data_source = models.data_source
order by
    proofs.data_source, nickname, proofs.gpu_model, proofs.num_gpus, proofs.runtime_version,
    proofs.price_list_id, proofs.task, proofs.batch_size, proofs.request_rate, proofs.fixed_prompt_tokens,
    proofs.proof_id
