with runs as (

    select * from {{ ref('int_graded_runs') }}

),

questions as (

    select * from {{ ref('int_questions_answered') }}

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

),

counted as (

    select
        leaderboard_id,
        any_value(grader) as grader,
        any_value(answer_form) as answer_form,
        any_value(answer_choices) as answer_choices,
        any_value(chance) as chance,
        count(*) as graded_runs,
        count(energy_per_output_joules) as energy_runs,
        sum(graded_answers) as answers,
        -- Repeats ask the same questions: they say nothing about other ones.
        max(graded_questions) as questions,
        sum(right_answers) as right_answers,
        sum(unreadable_answers) as unreadable_answers,
        sum(cut_answers) as cut_answers,
        sum(unanswered_questions) as unanswered_questions,
        sum(right_answers) / sum(graded_answers) as accuracy,
        sum(graded_output_tokens) / sum(graded_answers) as output_tokens_per_answer,
        avg(energy_per_output_joules) as energy_per_output_joules,
        stddev_samp(energy_per_output_joules) as energy_stddev_joules,
        max(energy_within_run_interval) as energy_within_run_interval
    from runs
    group by leaderboard_id

),

attempted as (

    select
        leaderboard_id,
        stddev_samp(output_tokens) as output_tokens_stddev,
        max(attempts) as attempts,
        count(*) filter (answers = attempts) as questions_in_all,
        count(*) filter (answers = attempts and is_right_once) as solved,
        sum(coalesce(first_right_attempt, attempts)) filter (answers = attempts) as attempts_until_right
    from questions
    group by leaderboard_id

),

spread as (

    select
        counted.*,
        attempted.attempts,
        attempted.questions_in_all,
        attempted.solved,
        attempted.attempts_until_right,
        counted.energy_per_output_joules * counted.output_tokens_per_answer as energy_per_answer_joules,
        greatest(
            t_quantiles.t_975 * counted.energy_stddev_joules / sqrt(counted.energy_runs)
            / nullif(counted.energy_per_output_joules, 0),
            counted.energy_within_run_interval
        ) as energy_half_width_share,
        {{ var('z_975') }} * attempted.output_tokens_stddev / sqrt(counted.questions)
        / nullif(counted.output_tokens_per_answer, 0) as length_half_width_share,
        -- Wilson (1927), of as many answers as there are questions.
        power({{ var('z_975') }}, 2) / counted.questions as z_squared_share
    from counted
    left join attempted using (leaderboard_id)
    left join t_quantiles on least(counted.energy_runs - 1, 200) = t_quantiles.degrees_of_freedom

)

select
    * exclude (z_squared_share),
    (accuracy + z_squared_share / 2) / (1 + z_squared_share)
    - sqrt(z_squared_share * (accuracy * (1 - accuracy) + z_squared_share / 4)) / (1 + z_squared_share)
        as accuracy_low,
    (accuracy + z_squared_share / 2) / (1 + z_squared_share)
    + sqrt(z_squared_share * (accuracy * (1 - accuracy) + z_squared_share / 4)) / (1 + z_squared_share)
        as accuracy_high,
    sqrt(power(energy_half_width_share, 2) + power(length_half_width_share, 2)) as answer_half_width_share
from spread
