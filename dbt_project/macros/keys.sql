{# A 32-digit id of some columns that treats NULL as a value, so that joins on it are NULL-safe.
   `known` are columns whose NULL leaves no trace: ids from before such a column stay what they were. #}
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

{# The same of keys: those that were added later are `known`. #}
{% macro hash_of_keys(keys) -%}
    {%- set later = var('keys_added_later') -%}
    {{ hash_of(keys | reject('in', later) | list, known=keys | select('in', later) | list) }}
{%- endmacro %}

{# The comparability keys, without some: the id that says which rows may be compared. Sources never are.
   The model's revision is no part of it: two models have a revision each. It keeps rows of one model apart. #}
{% macro comparability_hash(without=[]) -%}
    {%- set keys = var('comparability_keys') | reject('in', without + ['model_revision']) | list -%}
    {{ hash_of_keys(['data_source'] + keys) }}
{%- endmacro %}

{# Two rows of one model are of one revision of it; rows of two models need not be. #}
{% macro same_weights(one, other) -%}
    ({{ one }}.model_id <> {{ other }}.model_id or {{ one }}.model_revision is not distinct from {{ other }}.model_revision)
{%- endmacro %}

{# Configuration and comparability columns, for select lists that carry a measurement's identity. A mart has
   those that its contract names: a key that was added later is shown where somebody describes it. #}
{% macro identity_columns(relation=none) -%}
    {%- if not var('configuration_keys', none) -%}
        {%- set given = '--vars "$(python -m benchmark_tasks.results.identity)"' -%}
        {{ exceptions.raise_compiler_error('there are no lists of keys: add ' ~ given) }}
    {%- endif -%}
    {%- set keys = var('configuration_keys') + var('comparability_keys') -%}
    {%- if model is defined and model.config.contract.enforced -%}
        {%- set keys = keys | select('in', model.columns) | list -%}
    {%- endif -%}
    {%- for column in keys %}
        {{ relation ~ '.' if relation }}{{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
