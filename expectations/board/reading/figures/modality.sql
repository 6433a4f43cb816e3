-- A bar per GPU model, model and modality; the models by the energy of their text sibling. The GPU model
-- that most models were measured on is drawn first.
with bars as (
    {{ modality_bars | indent(4) }}
)

select * from bars
order by
    choice_number,
    max(energy_per_token_joules) filter (place = 0) over (partition by gpu_model, nickname),
    nickname,
    place
