{# The grain: no two rows share the columns; NULLs count as equal. Whole rows, so a failure names them. #}
{% test unique_key(model, columns) %}
select * from {{ model }}
qualify count(*) over (partition by {{ columns | join(', ') }}) > 1
{% endtest %}

{# The grain of many rows: no two of a group share the column. A group whose rows follow each other, each with
   a larger value than the one before, has no value twice. Of the others, a list per group is less than a key
   per row. #}
{% test unique_within(model, group, column) %}
with placed as (

    select
        {{ group }},
        {{ column }},
        lag({{ group }}) over () as group_before,
        lag({{ column }}) over () as value_before
    from {{ model }}

),

not_rising as (

    select {{ group }} from placed
    where group_before is distinct from {{ group }} or ({{ column }} > value_before) is not true
    group by {{ group }}
    having count(*) > 1

),

repeating as (

    select {{ group }} from {{ model }}
    where {{ group }} in (select {{ group }} from not_rising)
    group by {{ group }}
    having count(*) > len(list_distinct(list({{ column }})))

)

select * from {{ model }}
where {{ group }} in (select {{ group }} from repeating) or {{ group }} is null
qualify count(*) over (partition by {{ group }}, {{ column }}) > 1
{% endtest %}

{# A condition that holds in every row; NULL counts as not holding. #}
{% test holds(model, condition) %}
select * from {{ model }} where ({{ condition }}) is not true
{% endtest %}
