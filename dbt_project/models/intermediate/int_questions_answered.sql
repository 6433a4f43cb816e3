with runs as (

    select
        *,
        row_number() over (partition by leaderboard_id order by finished_at, run_id) as attempt,
        count(*) over (partition by leaderboard_id) as attempts
    from {{ ref('int_graded_runs') }}

),

answers as (

    select * from {{ ref('stg_jouleboard__graded_answers') }}

)

select
    runs.leaderboard_id,
    answers.request_index,
    any_value(runs.attempts) as attempts,
    count(*) as answers,
    avg(answers.output_tokens) as output_tokens,
    bool_or(answers.is_right) as is_right_once,
    min(runs.attempt) filter (answers.is_right) as first_right_attempt
from runs
inner join answers on runs.run_id = answers.run_id
group by runs.leaderboard_id, answers.request_index
