-- Of each family, GPU model and task: a mixture of experts against the dense model nearest to it in
-- total parameters.
with models as (
    select *
    from marts.model_size_scaling
    where data_source = {{ data_source }} and architecture = 'llm' and weight_precision = 'bfloat16'
),

pairs as (
    select
        experts.task,
        experts.gpu_model,
        experts.nickname as experts_model,
        dense.nickname as dense_model,
        experts.total_params_billions as experts_total,
        dense.total_params_billions as dense_total,
        experts.activated_params_billions as experts_activated,
        dense.energy_per_output_joules / experts.energy_per_output_joules as ratio
    from models as experts
    inner join models as dense
        on
            experts.family = dense.family
            and experts.task = dense.task
            and experts.gpu_model = dense.gpu_model
            and experts.request_set_id = dense.request_set_id
            and experts.weights = dense.weights
            and experts.runtime_version is not distinct from dense.runtime_version
            and experts.parameter_use = 'moe'
            and dense.parameter_use = 'dense'
    where
        dense.total_params_billions between experts.total_params_billions
        * 0.8 and experts.total_params_billions
        * 1.25
)

select * from pairs
order by task asc, (gpu_model = 'B200') desc, gpu_model, abs(experts_total - dense_total), experts_model asc
limit 1
