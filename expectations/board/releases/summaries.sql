-- Every release that this project measured, the newest first.
select *
from marts.release_summary
where data_source = 'jouleboard'
order by runtime asc, release_position desc
