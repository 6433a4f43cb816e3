{% set enough = 5 -%}

with servers as (

    select * from {{ ref('int_server_starts') }}

),

alike as (

    select
        data_source,
        architecture,
        model_id,
        count(*) - 1 as degrees_of_freedom,
        count(*) * var_pop(energy_per_output_joules) / avg(energy_per_output_joules) ^ 2 as squared_deviations
    from servers
    group by data_source, architecture, model_id, leaderboard_id, gpu_uuids

),

models as (

    select
        data_source,
        architecture,
        model_id,
        sum(degrees_of_freedom) as own_degrees,
        sum(squared_deviations) as own_deviations
    from alike
    group by data_source, architecture, model_id

),

pooled as (

    -- A model with servers enough speaks for itself. Others are pooled over every model of their kind.
    select
        data_source,
        architecture,
        model_id,
        own_degrees >= {{ enough }} as is_own,
        if(is_own, own_degrees, sum(own_degrees) over kind) as degrees_of_freedom,
        if(is_own, own_deviations, sum(own_deviations) over kind) as squared_deviations
    from models
    window kind as (partition by data_source, architecture)

)

select
    * exclude (squared_deviations),
    sqrt(squared_deviations / nullif(degrees_of_freedom, 0)) as relative_scatter
from pooled
