with runs as (

    select * from {{ ref('int_runs_derived') }}
    where grader is not null

),

measurements as (

    select
        measurement_id,
        leaderboard_id
    from {{ ref('int_measurements_unioned') }}
    where data_source = 'jouleboard' and counts_for_speed

),

graded as (

    select
        measurements.leaderboard_id,
        runs.run_id,
        runs.finished_at,
        runs.grader,
        runs.answer_form,
        runs.answer_choices,
        runs.graded_answers,
        runs.graded_questions,
        runs.right_answers,
        runs.unreadable_answers,
        runs.cut_answers,
        runs.unanswered_questions,
        runs.graded_output_tokens,
        runs.energy_per_output_joules,
        runs.energy_within_run_interval,
        coalesce(1.0 / runs.answer_choices, 0) as chance
    from runs
    inner join measurements on runs.run_id = measurements.measurement_id
    -- Answers that were never given are not a sample of all: the longest ones are missing.
    where
        runs.graded_answers > 0
        and runs.unanswered_questions
        <= {{ var('most_unanswered') }} * (runs.graded_answers + runs.unanswered_questions)

),

-- Accuracies of two ways of reading are never averaged: the way of the latest run counts.
latest as (

    select
        *,
        max_by(grader, finished_at) over of_row as latest_grader,
        max_by(answer_form, finished_at) over of_row as latest_form,
        max_by(coalesce(answer_choices, 0), finished_at) over of_row as latest_choices
    from graded
    window of_row as (partition by leaderboard_id)

)

select * exclude (latest_grader, latest_form, latest_choices)
from latest
where
    grader = latest_grader
    and answer_form = latest_form
    and coalesce(answer_choices, 0) = latest_choices
