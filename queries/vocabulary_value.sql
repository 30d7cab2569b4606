-- Topic:     shape and experts
-- Question:  what is a bigger vocabulary worth at each budget?
-- Input:     designs (design_id, vocab_size, bits_per_char, train_usd)
-- Parameter: $budgets_usd = [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8], what training may cost, in USD
-- Output:    budget_usd, vocab_size, design_id, bits_per_char, over_best; one row per budget and vocabulary that it
--            buys, the smallest budget first, then the best vocabulary; by bits per character, since a token is not
--            the same amount of text; over_best is 0.01 where it takes 1 % more bits
-- Ties:      of designs of equal bits the cheapest to train, then the lowest design_id

set variable budgets_usd = coalesce(getvariable('budgets_usd'), [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8])::double[];

with budgets as (
    select distinct unnest(getvariable('budgets_usd')) as budget_usd
),
affordable as (
    select budget_usd, vocab_size, min((bits_per_char, train_usd, design_id)) as found
    from budgets join designs on train_usd <= budget_usd
    where not isnan(bits_per_char)
    group by budget_usd, vocab_size
)
select budget_usd, vocab_size, found[3] as design_id, found[1] as bits_per_char,
    found[1] / min(found[1]) over (partition by budget_usd) - 1 as over_best
from affordable
order by budget_usd, bits_per_char, design_id
