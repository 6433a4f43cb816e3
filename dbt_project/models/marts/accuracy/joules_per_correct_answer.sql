with accuracies as (

    -- Fewer answers say too little; below chance the right answers, or how answers are read, are in doubt.
    select * from {{ ref('int_accuracy') }}
    where questions >= {{ var('fewest_graded_questions') }} and accuracy >= chance

),

configurations as (

    select * from {{ ref('int_configurations_averaged') }}

),

compared as (

    select
        *,
        accuracy_low > chance as is_above_chance,
        case when accuracy_low > chance then energy_per_answer_joules / accuracy end
            as energy_per_correct_answer_joules,
        -- Both uncertainties on the logarithms (Zou and Donner 2008): neither interval need be symmetric.
        sqrt(
            power(ln(nullif(greatest(1 - answer_half_width_share, 0), 0)), 2)
            + power(ln(accuracy_high / nullif(accuracy, 0)), 2)
        ) as log_below,
        sqrt(
            power(ln(1 + answer_half_width_share), 2)
            + power(ln(accuracy / nullif(accuracy_low, 0)), 2)
        ) as log_above,
        solved / nullif(questions_in_all, 0) as best_of_accuracy
    from accuracies

)

select
    compared.leaderboard_id,
    configurations.data_source,
    configurations.configuration_id,
    configurations.comparability_id,
    configurations.nickname,
    configurations.total_params_billions,
    {{ identity_columns('configurations') }},
    configurations.is_current_revision,
    configurations.last_measured_at,
    cast(compared.grader as integer) as grader,
    compared.answer_form,
    cast(compared.answer_choices as integer) as answer_choices,
    cast(compared.graded_runs as integer) as graded_runs,
    cast(compared.energy_runs as integer) as energy_runs,
    cast(compared.questions as integer) as questions,
    cast(compared.answers as integer) as answers,
    cast(compared.right_answers as integer) as right_answers,
    cast(compared.unreadable_answers as integer) as unreadable_answers,
    cast(compared.cut_answers as integer) as cut_answers,
    cast(compared.unanswered_questions as integer) as unanswered_questions,
    compared.chance,
    compared.accuracy,
    compared.accuracy_low,
    compared.accuracy_high,
    compared.is_above_chance,
    configurations.energy_source,
    compared.output_tokens_per_answer,
    compared.energy_per_output_joules,
    compared.energy_per_answer_joules,
    compared.energy_per_answer_joules * {{ lower_end('1', 'compared.answer_half_width_share') }}
        as energy_per_answer_low_joules,
    compared.energy_per_answer_joules * (1 + compared.answer_half_width_share)
        as energy_per_answer_high_joules,
    compared.energy_per_correct_answer_joules,
    compared.energy_per_correct_answer_joules * exp(-compared.log_below)
        as energy_per_correct_answer_low_joules,
    compared.energy_per_correct_answer_joules * exp(compared.log_above)
        as energy_per_correct_answer_high_joules,
    case when compared.attempts > 1 then cast(compared.attempts as integer) end as attempts,
    case when compared.attempts > 1 then compared.best_of_accuracy end as best_of_accuracy,
    case
        when compared.attempts > 1 and compared.is_above_chance
            then compared.attempts * compared.energy_per_answer_joules / nullif(compared.best_of_accuracy, 0)
    end as best_of_energy_per_correct_answer_joules,
    case
        when compared.attempts > 1 and compared.is_above_chance
            then
                compared.attempts_until_right / nullif(compared.solved, 0) * compared.energy_per_answer_joules
    end as until_right_energy_per_correct_answer_joules
from compared
inner join configurations using (leaderboard_id)
order by configurations.data_source, compared.leaderboard_id
