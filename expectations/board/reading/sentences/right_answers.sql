-- Each model's configuration with least energy per right answer, per question set and GPU model.
with answered as (
    {{ graded_rows | indent(4) }}
)

select
    questions_name,
    nickname,
    weights,
    gpu_model,
    num_gpus,
    batch_size,
    questions,
    accuracy,
    accuracy_low,
    accuracy_high,
    energy_per_answer_joules,
    energy_per_correct_answer_joules as joules,
    energy_per_correct_answer_low_joules as joules_low,
    energy_per_correct_answer_high_joules as joules_high
from answered
where energy_per_correct_answer_joules is not null
qualify
    row_number() over (
        partition by questions_name, model_id, weights, weight_precision, gpu_model
        order by energy_per_correct_answer_joules, leaderboard_id
    ) = 1
order by questions_name, joules, nickname, gpu_model
