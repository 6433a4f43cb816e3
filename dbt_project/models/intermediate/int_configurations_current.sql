with rows_with_drafts as (

    select * from {{ ref('int_rows_with_drafts') }}

)

select averaged.*
from {{ ref('int_configurations_averaged') }} as averaged
left join rows_with_drafts using (leaderboard_id)
-- What a row takes with a prescribed acceptance is no figure of its model.
where averaged.is_current_revision and rows_with_drafts.acceptance_is_prescribed is not true
