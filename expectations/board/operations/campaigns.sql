-- What each campaign measured and cost.
with measured as (
    select
        data_source,
        coalesce(sweep_id, run_id) as campaign_id,
        list(distinct coalesce(nickname, model_id)) as model_names,
        list(distinct task) as measured_tasks,
        list(distinct case when num_gpus > 0 then gpu_model else 'no GPU' end) as gpus,
        list(distinct struct_pack(title := runtime, version := runtime_version)) as measured_runtimes
    from marts.run_log
    group by all
)

select
    campaign_ledger.*,
    list_sort(measured.model_names) as model_names,
    list_sort(measured.measured_tasks) as measured_tasks,
    list_sort(measured.gpus) as gpus,
    list_sort(measured.measured_runtimes) as measured_runtimes
from marts.campaign_ledger
left join measured using (data_source, campaign_id)
order by campaign_ledger.started_at, campaign_ledger.campaign_id
