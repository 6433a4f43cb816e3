-- A3: Scope: 1,858 configurations
-- run_log keeps the three repeat measurements; leaderboard has one row per configuration (1,855).
select count(*) from marts.run_log
where data_source = 'mlenergy-v3'
