with minima as (

    select * from {{ ref('int_minimum_energy') }}
    where scope = 'all-gpu-counts'

)

select
    leaderboard_id,
    data_source,
    architecture,
    nickname,
    organisation,
    family,
    model_architecture,
    case
        when activated_params_billions < total_params_billions then 'moe'
        when activated_params_billions = total_params_billions then 'dense'
    end as parameter_use,
    total_params_billions,
    activated_params_billions,
    {{ identity_columns() }},
    output_unit,
    energy_per_output_joules,
    energy_per_response_joules,
    energy_per_output_joules / nullif(activated_params_billions, 0)
        as energy_per_output_per_activated_billion_joules,
    energy_per_output_joules / nullif(total_params_billions, 0) as energy_per_output_per_total_billion_joules
from minima
order by data_source, task, gpu_model, activated_params_billions, total_params_billions, leaderboard_id
