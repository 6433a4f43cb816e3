with budget as (

    select * from {{ ref('int_uncertainty_budget') }}

)

select
    {{ hash_of(['leaderboard_id', 'source']) }} as budget_id,
    leaderboard_id,
    data_source,
    source,
    {{ source_position('source') }} as source_position,
    cast(levels as integer) as levels,
    is_covered,
    verdict,
    relative_size,
    relative_size_low,
    relative_size_high,
    degrees_of_freedom,
    included_in
from budget
order by data_source, leaderboard_id, source_position
