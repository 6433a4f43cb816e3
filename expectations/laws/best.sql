-- The law to use of each family, a row per term.
select *
from marts.diffusion_energy_law
where is_best and data_source = 'jouleboard'
