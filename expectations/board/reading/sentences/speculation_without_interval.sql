-- Comparisons with and without drafts that too few runs were measured of.
select
    count(*) filter (energy_change_low is null) as pairs,
    count(*) as all_pairs
from marts.speculative_decoding
where data_source = {{ data_source }} and weights <> 'dummy' and energy_change is not null
having count(*) filter (energy_change_low is null) > 0
