-- What each campaign cost.
select *
from marts.campaign_ledger
order by started_at, campaign_id
