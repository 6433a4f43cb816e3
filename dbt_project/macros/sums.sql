{# A sum that is NULL where one of its terms is not known: a part is not the whole. #}
{% macro sum_if_known(term) -%}
    case when bool_and({{ term }} is not null) then sum({{ term }}) end
{%- endmacro %}
