-- Models whose accuracy does not differ from chance, per question set and GPU model: their best row.
with answered as (
    {{ graded_rows | indent(4) }}
)

select
    questions_name,
    nickname,
    gpu_model,
    questions,
    accuracy,
    accuracy_low,
    accuracy_high,
    chance
from answered
where not is_above_chance
qualify
    row_number() over (
        partition by questions_name, model_id, weights, weight_precision, gpu_model
        order by accuracy desc, leaderboard_id asc
    ) = 1
order by questions_name asc, nickname asc, gpu_model asc
