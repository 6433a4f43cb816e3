-- The rows with the lowest energy per output, per number of GPUs and over all of them.
{% set group = 'comparability_id, task, model_id, weight_precision, workload_id, gpu_model' %}

with configurations as (

    select * from {{ ref('int_configurations_current') }}
    where energy_per_output_joules is not null

),

{% for scope, columns in [('gpu-count', group ~ ', num_gpus'), ('all-gpu-counts', group)] %}
    {{ scope | replace('-', '_') }} as (

        select
            *,
            '{{ scope }}' as scope,
            count(*) over same_group as configurations_compared,
            max(batch_size) over same_group as largest_batch_size
        from configurations
        window same_group as (partition by {{ columns }})
        qualify row_number() over (
            partition by {{ columns }} order by energy_per_output_joules, batch_size, leaderboard_id
        ) = 1

    ),

{% endfor %}
minima as (

    select * from gpu_count
    union all
    select * from all_gpu_counts

)

select * from minima
