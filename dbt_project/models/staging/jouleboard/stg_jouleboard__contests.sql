select
    leaderboard_id,
    previous_runtime_version,
    contested_by,
    contested_at,
    contest_note
from {{ source('jouleboard', 'contests') }}
