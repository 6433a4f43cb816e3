{# How far weights of this kind are off, where it was measured: the row of `weights_differences` that belongs
   to a measurement. Nothing is carried over to another model, precision, task, GPU, version or batch size. #}
{% macro difference_of_weights(difference, measurement) -%}
    {%- for key in ['weights', 'model_id', 'weight_precision', 'task', 'gpu_model', 'num_gpus', 'runtime',
                    'runtime_version', 'batch_size'] %}
        {{ difference }}.{{ key }} = {{ measurement }}.{{ key }}{{ ' and' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Its columns, as the marts name them. #}
{% macro weights_difference_columns(difference) -%}
    {{ difference }}.reference_weights as weights_reference,
    {{ difference }}.energy_difference as weights_energy_difference,
    {{ difference }}.energy_difference_half_width as weights_energy_difference_half_width,
    {{ difference }}.median_itl_difference as weights_median_itl_difference,
    {{ difference }}.source as weights_difference_source
{%- endmacro %}

{# How near a kind of weights is known to be to trained ones: the nearest first. #}
{% macro weights_order(weights) -%}
    cast(case when {{ weights }} = 'real' then 0 when {{ weights }} like 'stand-in%' then 1 else 2 end as integer)
{%- endmacro %}
