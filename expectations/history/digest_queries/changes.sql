-- How versions that were measured for the first time compare with the version before.
with
first_measured as (
    {{ first_measured }}
)

select
    compared.runtime,
    compared.old_runtime_version,
    compared.runtime_version,
    count(*) as configurations,
    count(*) filter (where compared.energy_verdict = 'better') as less_energy,
    count(*) filter (where compared.energy_verdict = 'worse') as more_energy
from runtime_version_comparison as compared
inner join first_measured
    on
        compared.runtime = first_measured.runtime
        and {{ release_of('compared.runtime_version') }} = first_measured.runtime_version
group by compared.runtime, compared.old_runtime_version, compared.runtime_version
order by compared.runtime, compared.runtime_version, compared.old_runtime_version
