with servers as (

    select * from {{ ref('int_server_starts') }}

),

alike as (

    select
        data_source,
        architecture,
        count(*) - 1 as degrees_of_freedom,
        count(*) * var_pop(energy_per_output_joules) / avg(energy_per_output_joules) ^ 2 as squared_deviations
    from servers
    group by data_source, architecture, leaderboard_id, gpu_uuids

),

scatter as (

    select
        data_source,
        architecture,
        sum(degrees_of_freedom) as degrees_of_freedom,
        sqrt(sum(squared_deviations) / nullif(sum(degrees_of_freedom), 0)) as relative_scatter
    from alike
    group by data_source, architecture

)

select * from scatter
