-- Work per joule is throughput per watt: the largest difference between the two over all rows.
select
    count(*) as compared,
    max(abs(throughput_per_watt * energy_per_output_joules - 1)) as largest_difference
from marts.leaderboard
where
    data_source = {{ data_source }}
    and throughput_per_watt is not null
    and energy_per_output_joules is not null
having count(*) > 0
