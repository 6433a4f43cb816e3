select distinct {{ columns | join(', ') }}
from marts.quarantine
order by all
limit {{ limit }}
