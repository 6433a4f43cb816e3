{# A candidate is a new database, so a model is made under its own name. dbt's own materializations make it
   under another name, rename it and drop what was there before. They also know hooks, grants, indexes and
   partitions, which are not used here. #}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set target = this.incorporate(type='table') -%}
    {{ drop_relation_if_exists(load_cached_relation(this)) }}
    {% call statement('main', language=model['language']) -%}
        {{- create_table_as(False, target, compiled_code, model['language']) }}
    {%- endcall %}
    {% do persist_docs(target, model) %}
    {{ return(committed(target)) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {%- set target = this.incorporate(type='view') -%}
    {{ drop_relation_if_exists(load_cached_relation(this)) }}
    {% call statement('main') -%}
        {{- create_view_as(target, sql) }}
    {%- endcall %}
    {% do persist_docs(target, model) %}
    {{ return(committed(target)) }}
{% endmaterialization %}

{# A Python model is written by a transaction of its own. #}
{% macro committed(relation) %}
    {% if model['language'] == 'sql' %}
        {{ adapter.commit() }}
    {% endif %}
    {{ return({'relations': [relation]}) }}
{% endmacro %}

{# All descriptions in one statement. A contract says that the columns are there: they are not looked up. #}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) %}
    {% if config.persist_relation_docs() and config.persist_column_docs() %}
        {% do run_query(alter_relation_comment(relation, model.description)
            ~ duckdb__alter_column_comment(relation, model.columns)) %}
    {% endif %}
{% endmacro %}

{% macro duckdb__alter_column_comment(relation, column_dict) %}
    {% for name, column in column_dict.items() %}
        comment on column {{ relation }}.{{ adapter.quote(name) }} is {{ duckdb_escape_comment(column['description']) }};
    {% endfor %}
{% endmacro %}
