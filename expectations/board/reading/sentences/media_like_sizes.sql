-- Models of about the same number of parameters: the pair with the largest ratio of energies in which the one
-- that takes more also does more work per item.
with models as (
    {{ media_models | indent(4) }}
)

select
    heavier.task,
    heavier.nickname as more_model,
    lighter.nickname as less_model,
    heavier.total_params_billions as more_params,
    lighter.total_params_billions as less_params,
    heavier.energy_per_output_joules / lighter.energy_per_output_joules as energy_ratio,
    heavier.computed / lighter.computed as computed_ratio
from models as heavier
inner join models as lighter
    on
        heavier.task = lighter.task
        and heavier.computed > lighter.computed
        and heavier.energy_per_output_joules > lighter.energy_per_output_joules
        and heavier.total_params_billions between 0.8 * lighter.total_params_billions
        and 1.25 * lighter.total_params_billions
qualify row_number() over (partition by heavier.task order by energy_ratio desc, heavier.nickname asc) = 1
order by heavier.task
