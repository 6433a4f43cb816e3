{# A 32-digit id of some columns that treats NULL as a value, so that joins on it are NULL-safe.
   `known` are columns that are not part of the id while they are NULL, so that older ids do not change. #}
{% macro hash_of(columns, known=[]) -%}
    md5(concat_ws('|'
    {%- for column in columns -%}
        , coalesce(cast({{ column }} as varchar), '~')
    {%- endfor -%}
    {%- for column in known -%}
        , '{{ column }}=' || {{ column }}
    {%- endfor -%}
    ))
{%- endmacro %}

{# The same for keys: those that were added later are `known`. #}
{% macro hash_of_keys(keys) -%}
    {%- set later = var('keys_added_later') -%}
    {{ hash_of(keys | reject('in', later) | list, known=keys | select('in', later) | list) }}
{%- endmacro %}

{# Hash of the comparability keys, without some: the id that says which rows may be compared. Rows of two
   sources may only be where it is asked for (`data_source` is left out). The model's revision is not part of it, because different models have different ones. #}
{% macro comparability_hash(without=[]) -%}
    {%- set keys = var('comparability_keys') | reject('in', without + ['model_revision']) | list -%}
    {{ hash_of_keys((['data_source'] | reject('in', without) | list) + keys) }}
{%- endmacro %}

{# Two rows of one model must have the same revision; rows of different models need not. #}
{% macro same_weights(one, other) -%}
    ({{ one }}.model_id <> {{ other }}.model_id or {{ one }}.model_revision is not distinct from {{ other }}.model_revision)
{%- endmacro %}

{# Configuration and comparability columns, for select lists. A mart has only those that its contract names:
   a key that was added later is shown in the marts that describe it. #}
{% macro identity_columns(relation=none) -%}
    {%- if not var('configuration_keys', none) -%}
        {%- set option = '--vars "$(python -m benchmark_tasks.results.identity)"' -%}
        {{ exceptions.raise_compiler_error('there are no lists of keys: add ' ~ option) }}
    {%- endif -%}
    {%- set keys = var('configuration_keys') + var('comparability_keys') -%}
    {%- if model is defined and model.config.contract.enforced -%}
        {%- set keys = keys | select('in', model.columns) | list -%}
    {%- endif -%}
    {%- for column in keys %}
        {{ relation ~ '.' if relation }}{{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Two rows of one model, precision and workload under the same comparability keys but for the power cap: caps
   depend on the GPU model and may differ between two of them. #}
{% macro same_but_gpu_model(one, other) -%}
    (
        {{ one }}.comparability_any_cap_id = {{ other }}.comparability_any_cap_id
        and {{ one }}.task = {{ other }}.task
        and {{ one }}.model_id = {{ other }}.model_id
        and {{ one }}.weight_precision = {{ other }}.weight_precision
        and {{ one }}.workload_id = {{ other }}.workload_id
        and {{ same_weights(one, other) }}
    )
{%- endmacro %}
