with configurations as (

    select * from {{ ref('int_configurations_averaged') }}
    where energy_per_output_joules is not null

),

contributed as (

    select * from configurations
    where {{ is_contributed('data_source') }}

),

ours as (

    select * from configurations
    where data_source = 'jouleboard'

)

select
    contributed.leaderboard_id,
    ours.leaderboard_id as our_leaderboard_id,
    ours.energy_per_output_joules as our_energy_per_output_joules,
    contributed.energy_per_output_half_width_joules
    <= {{ var('widest_reproduced_interval') }} * contributed.energy_per_output_joules
    and ours.energy_per_output_joules
    between contributed.energy_per_output_low_joules and contributed.energy_per_output_high_joules
        as is_reproduced
from contributed
inner join ours
    on
        contributed.configuration_id = ours.configuration_id
        and contributed.comparability_any_source_id = ours.comparability_any_source_id
        and contributed.model_revision is not distinct from ours.model_revision
