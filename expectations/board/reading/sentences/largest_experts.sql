-- The figure's largest mixture of experts against its largest dense model.
with models as (
    {{ model_size_models | indent(4) }}
),

experts as (
    select *
    from models
    where parameter_use = 'moe'
    order by total_params_billions desc, nickname asc
    limit 1
),

dense as (
    select *
    from models
    where parameter_use = 'dense'
    order by total_params_billions desc, nickname asc
    limit 1
)

select
    experts.nickname as experts_model,
    dense.nickname as dense_model,
    experts.total_params_billions as experts_total,
    experts.activated_params_billions as experts_activated,
    dense.total_params_billions as dense_total,
    experts.num_gpus as experts_gpus,
    dense.num_gpus as dense_gpus,
    experts.gpu_model,
    experts.energy_per_output_joules as experts_joules,
    dense.energy_per_output_joules as dense_joules
from experts, dense
where experts.total_params_billions > dense.total_params_billions
