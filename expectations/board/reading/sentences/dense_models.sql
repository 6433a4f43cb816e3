-- The dense models of the figure by size, and whether each takes more energy per token than the one before.
with sizes as (
    {{ model_size_models | indent(4) }}
),

dense as (
    select
        *,
        lag(energy_per_output_joules) over (order by total_params_billions) as energy_before
    from sizes
    where parameter_use = 'dense'
)

select
    any_value(family) as model_family,
    any_value(task) as task,
    any_value(gpu_model) as gpu_model,
    count(*) as models,
    list(
        struct_pack(nickname := nickname, joules := energy_per_output_joules) order by total_params_billions
    ) as models_by_size,
    coalesce(bool_and(energy_per_output_joules > energy_before), false) as always_rises
from dense
having count(*) > 1
