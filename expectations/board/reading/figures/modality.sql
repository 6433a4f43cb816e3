-- A bar per model and modality; the models by the energy of their text sibling.
with bars as (
    {{ modality_bars | indent(4) }}
)

select * from bars
order by
    max(energy_per_token_joules) filter (place = 0) over (partition by nickname), nickname, place
