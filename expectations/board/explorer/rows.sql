select {{ columns | join(', ') }}
from marts.leaderboard
{%- if has_revisions %}
    where is_current_revision
{%- endif %}
order by {{ order | join(', ') }}
