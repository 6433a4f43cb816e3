-- Minimum-energy configurations in BF16 of each family with two or more models, per task and GPU model.
-- The one with most sizes is drawn first.
with families as (
    {{ model_size_families | indent(4) }}
)

select
    families.choice_number,
    sizes.task,
    sizes.family,
    sizes.gpu_model,
    sizes.nickname,
    sizes.parameter_use,
    sizes.total_params_billions,
    sizes.activated_params_billions,
    sizes.num_gpus,
    sizes.batch_size,
    sizes.energy_per_output_joules as energy_per_token_joules
from marts.model_size_scaling as sizes
inner join families
    on sizes.task = families.task and sizes.family = families.family and sizes.gpu_model = families.gpu_model
where
    sizes.data_source = {{ data_source }} and sizes.weight_precision = 'bfloat16'
    and sizes.parameter_use is not null
qualify
    row_number() over (
        partition by families.choice_number, sizes.model_id order by sizes.energy_per_output_joules
    ) = 1
    and (
        count(distinct sizes.model_id) over (partition by families.choice_number) > 1
        or families.choice_number = 1
    )
order by families.choice_number, sizes.activated_params_billions
