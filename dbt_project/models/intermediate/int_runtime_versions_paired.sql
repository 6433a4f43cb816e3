with configurations as (

    select
        *,
        -- 0.9.1 comes before 0.10, and 0.10rc1 before 0.10: versions compare as lists of numbers, then
        -- pre-releases come first, then as text. Text after a + is a local label: a hash in it that
        -- contains 1a2 does not make it a pre-release.
        split_part(runtime_version, '+', 1) as public_version,
        list_transform(
            string_split(regexp_extract(public_version, '^[0-9.]*[0-9]'), '.'),
            lambda part: try_cast(part as bigint)
        ) as version_numbers,
        not regexp_matches(public_version, '[0-9](a|b|rc|[.]dev)[0-9]') as is_final
    from {{ ref('int_configurations_averaged') }}
    where runtime_version is not null

),

pairs as (

    select
        later.leaderboard_id,
        earlier.leaderboard_id as old_leaderboard_id,
        earlier.runtime_version as old_runtime_version,
        dense_rank() over (
            partition by later.leaderboard_id
            order by earlier.version_numbers desc, earlier.is_final desc, earlier.runtime_version desc
        ) as versions_back
    from configurations as later
    inner join configurations as earlier
        on
            later.configuration_id = earlier.configuration_id
            and later.comparability_any_version_id = earlier.comparability_any_version_id
            and {{ same_weights('later', 'earlier') }}
            and (earlier.version_numbers, earlier.is_final, earlier.runtime_version)
            < (later.version_numbers, later.is_final, later.runtime_version)

)

select * from pairs
