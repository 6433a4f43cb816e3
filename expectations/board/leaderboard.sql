select
    {{ columns | join(', ') }},
    {%- if has_minima %}
        leaderboard_id in (
            select minima.leaderboard_id
            from marts.min_energy_configurations as minima
        ) as is_minimum
    {%- else %}
        false as is_minimum
    {%- endif %}
from marts.leaderboard
{%- if has_revisions %}
    where is_current_revision
{%- endif %}
order by all
