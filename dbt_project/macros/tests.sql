{# The grain: no two rows share the columns; NULLs count as equal. Whole rows, so a failure names them. #}
{% test unique_key(model, columns) %}
select * from {{ model }}
qualify count(*) over (partition by {{ columns | join(', ') }}) > 1
{% endtest %}

{# A condition that holds in every row; NULL counts as not holding. #}
{% test holds(model, condition) %}
select * from {{ model }} where ({{ condition }}) is not true
{% endtest %}
