with loads as (

    select configuration_id
    from energy_under_load
    where data_source = 'jouleboard'
    group by configuration_id
    having count(distinct runtime_version) > 1

)

select count(*) from loads
