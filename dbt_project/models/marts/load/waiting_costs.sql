with servers as (

    select * from {{ ref('int_servers_waiting') }}

),

models as (

    select * from {{ ref('int_models') }}

),

setups as (

    select
        waiting_id,
        data_source,
        model_id,
        model_revision,
        weight_precision,
        gpu_model,
        num_gpus,
        tensor_parallel,
        expert_parallel,
        data_parallel,
        runtime,
        runtime_version,
        power_limit_watts,
        weights,
        energy_boundary,
        max(last_measured_at) as last_measured_at,
        cast(count(*) as integer) as servers,
        cast(count(start_joules) as integer) as energy_starts,
        {% for level in [1, 2] %}
            {% for name in ['asleep_watts', 'sleep_seconds', 'sleep_joules', 'wake_seconds', 'wake_joules'] %}
                avg({{ name }}_level_{{ level }}) as {{ name }}_level_{{ level }},
            {% endfor %}
        {% endfor %}
        avg(idle_unloaded_watts) as idle_unloaded_watts,
        coalesce(avg(idle_window_watts), avg(idle_reading_watts)) as idle_loaded_watts,
        case
            when count(idle_window_watts) > 0 then 'window at rate 0'
            when count(idle_reading_watts) > 0 then 'reading before the load'
        end as idle_loaded_source,
        avg(start_seconds) as start_seconds,
        avg(start_joules) as start_joules,
        avg(start_seconds) filter (start_joules is not null) as energy_start_seconds
    from servers
    group by all

),

-- Waiting T costs idle_loaded x T with the model, and without it idle_unloaded x (T - start) + start joules.
-- Asleep it costs asleep x (T - seconds to fall asleep and wake) + joules to fall asleep and wake. Power of a
-- server at rest may drift by 5 % within a window, so a smaller saving is none.
answered as (

    select
        *,
        {% for level in [1, 2] %}
            {% set seconds = "(sleep_seconds_level_~ + wake_seconds_level_~)" | replace("~", level) %}
            case
                when asleep_watts_level_{{ level }} < 0.95 * idle_loaded_watts
                    then
                        greatest(
                            (
                                sleep_joules_level_{{ level }} + wake_joules_level_{{ level }}
                                - asleep_watts_level_{{ level }} * {{ seconds }}
                            ) / (idle_loaded_watts - asleep_watts_level_{{ level }}),
                            {{ seconds }}
                        )
            end as sleeping_pays_after_seconds_level_{{ level }},
        {% endfor %}
        start_joules / nullif(idle_loaded_watts, 0) as releasing_pays_after_seconds,
        case
            when idle_loaded_watts > idle_unloaded_watts
                then
                    greatest(
                        (start_joules - idle_unloaded_watts * energy_start_seconds)
                        / (idle_loaded_watts - idle_unloaded_watts),
                        energy_start_seconds
                    )
        end as unloading_pays_after_seconds
    from setups

)

select
    answered.waiting_id,
    answered.data_source,
    coalesce(models.nickname, answered.model_id) as nickname,
    answered.model_id,
    answered.weight_precision,
    answered.gpu_model,
    answered.num_gpus,
    answered.tensor_parallel,
    answered.expert_parallel,
    answered.data_parallel,
    answered.runtime,
    answered.runtime_version,
    answered.power_limit_watts,
    answered.weights,
    answered.energy_boundary,
    answered.model_revision,
    answered.last_measured_at,
    answered.servers,
    answered.energy_starts,
    answered.idle_unloaded_watts,
    answered.idle_loaded_watts,
    answered.idle_loaded_source,
    answered.start_seconds,
    answered.start_joules,
    answered.releasing_pays_after_seconds,
    answered.unloading_pays_after_seconds,
    answered.asleep_watts_level_1,
    answered.sleep_seconds_level_1,
    answered.sleep_joules_level_1,
    answered.wake_seconds_level_1,
    answered.wake_joules_level_1,
    answered.sleeping_pays_after_seconds_level_1,
    answered.asleep_watts_level_2,
    answered.sleep_seconds_level_2,
    answered.sleep_joules_level_2,
    answered.wake_seconds_level_2,
    answered.wake_joules_level_2,
    answered.sleeping_pays_after_seconds_level_2
from answered
left join models on answered.model_id = models.model_id and answered.data_source = models.data_source
order by
    answered.data_source, nickname, answered.gpu_model, answered.num_gpus, answered.runtime_version,
    answered.waiting_id
