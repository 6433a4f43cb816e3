{# The grain: no two rows share the columns; NULLs count as equal. Whole rows, so a failure names them. #}
{% test unique_key(model, columns) %}
select * from {{ model }}
qualify count(*) over (partition by {{ columns | join(', ') }}) > 1
{% endtest %}

{# The grain of many rows: no two of a group share the column. A list per group is less than a key per row. #}
{% test unique_within(model, group, column) %}
select * from {{ model }}
where {{ group }} in (
    select {{ group }} from {{ model }}
    group by {{ group }}
    having count(*) > len(list_distinct(list({{ column }})))
) or {{ group }} is null
qualify count(*) over (partition by {{ group }}, {{ column }}) > 1
{% endtest %}

{# A condition that holds in every row; NULL counts as not holding. #}
{% test holds(model, condition) %}
select * from {{ model }} where ({{ condition }}) is not true
{% endtest %}
