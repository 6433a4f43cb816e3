-- Configurations whose accuracy differs from chance: accuracy and energy per right answer, with intervals.
-- Questions that most models answered are drawn first.
with answered as (
    {{ graded_rows | indent(4) }}
)

select
    questions_name,
    nickname,
    task,
    gpu_model,
    num_gpus,
    batch_size,
    weights,
    questions,
    accuracy,
    accuracy_low,
    accuracy_high,
    chance,
    energy_per_answer_joules,
    energy_per_correct_answer_joules,
    energy_per_correct_answer_low_joules,
    energy_per_correct_answer_high_joules
from answered
where energy_per_correct_answer_joules is not null
order by
    count(*) over (partition by questions_name) desc,
    questions_name asc,
    nickname asc,
    gpu_model asc,
    num_gpus asc,
    batch_size asc
