-- 0011 modes: certificates that stop early, bound the runner-up, or only predict.
--
-- Adds columns that are null or empty for what is there; no table is rewritten.

ALTER TABLE rrcm.certification
  ADD COLUMN targets numeric[] NOT NULL DEFAULT '{}',
  ADD COLUMN epsilon double precision,
  ADD COLUMN looks int[] NOT NULL DEFAULT '{}',
  DROP CONSTRAINT certification_mode_known,
  ADD CONSTRAINT certification_mode_known
    CHECK (mode IN ('fixed', 'curtailed', 'runner-up', 'sequential', 'epsilon', 'predict')),
  ADD CONSTRAINT certification_targets_where_decided
    CHECK ((cardinality(targets) > 0) = (mode IN ('curtailed', 'sequential'))),
  ADD CONSTRAINT certification_epsilon_is_share
    CHECK ((epsilon IS NOT NULL) = (mode = 'epsilon') AND coalesce(epsilon > 0 AND epsilon < 1, true)),
  ADD CONSTRAINT certification_looks_where_it_stops_early
    CHECK ((cardinality(looks) > 0) = (mode IN ('curtailed', 'sequential', 'epsilon')));
COMMENT ON COLUMN rrcm.certification.targets IS 'Radii that the run decides, ascending; empty unless its mode has targets';
COMMENT ON COLUMN rrcm.certification.epsilon IS 'Share of the radius that mode epsilon gives up; null otherwise';
COMMENT ON COLUMN rrcm.certification.looks IS
  'Prefixes of the estimation chunks, in chunks, at which an item may be decided; empty unless the mode stops early';

ALTER TABLE rrcm.item
  ADD COLUMN target_units int,
  ADD COLUMN looks_decided int NOT NULL DEFAULT 0,
  DROP CONSTRAINT item_open_while_units_are_left,
  ADD CONSTRAINT item_open_while_units_are_left
    CHECK (state <> 'open' OR next_unit < coalesce(target_units, unit_count)),
  ADD CONSTRAINT item_target_in_range CHECK (target_units BETWEEN next_unit AND unit_count),
  ADD CONSTRAINT item_looks_not_negative CHECK (looks_decided >= 0);
COMMENT ON COLUMN rrcm.item.target_units IS
  'Units that may be claimed so far, in modes that stop early; null for all. Claimed through, the item waits for a look';
COMMENT ON COLUMN rrcm.item.looks_decided IS 'Looks that have been taken without deciding the item';

ALTER TABLE rrcm.certificate
  ADD COLUMN stopped_at_unit int,
  ADD COLUMN targets_reached numeric[],
  ADD COLUMN runner_up_votes int,
  ADD COLUMN p_upper double precision,
  ADD COLUMN p_value double precision,
  ADD CONSTRAINT certificate_probabilities
    CHECK (coalesce(p_upper BETWEEN 0 AND 1, true) AND coalesce(p_value BETWEEN 0 AND 1, true));
COMMENT ON COLUMN rrcm.certificate.stopped_at_unit IS
  'Units up to the deciding look; votes of later units count nowhere. Null where every unit counts';
COMMENT ON COLUMN rrcm.certificate.targets_reached IS 'Those of the run''s targets that the radius reaches; null without targets';
COMMENT ON COLUMN rrcm.certificate.runner_up_votes IS
  'Estimation votes for the most frequent other class; null where they do not matter';
COMMENT ON COLUMN rrcm.certificate.p_upper IS 'Upper bound of the runner-up''s probability, slack added; mode runner-up';
COMMENT ON COLUMN rrcm.certificate.p_value IS 'p-value of the two-sided test between the two leading classes; mode predict';
COMMENT ON COLUMN rrcm.certificate.n IS 'Estimation draws that count: those up to the deciding look';

CREATE OR REPLACE VIEW rrcm.certification_protocol AS
SELECT run_id,
       mode,
       n0,
       n,
       alpha,
       sampler,
       chunk_samples,
       audit_share,
       targets,
       epsilon,
       looks
  FROM rrcm.certification;
COMMENT ON COLUMN rrcm.certification_protocol.targets IS
  'Radii that the run decides, ascending; empty unless its mode has targets';
COMMENT ON COLUMN rrcm.certification_protocol.epsilon IS 'Share of the radius that mode epsilon gives up; null otherwise';
COMMENT ON COLUMN rrcm.certification_protocol.looks IS
  'Prefixes of the estimation chunks, in chunks, at which an item may be decided; empty unless the mode stops early';

CREATE VIEW rrcm.certificate_detail AS
SELECT c.item_id,
       c.stopped_at_unit,
       c.targets_reached,
       c.runner_up_votes,
       c.p_upper,
       c.p_value
  FROM rrcm.certificate c
  JOIN rrcm.item i USING (item_id)
 WHERE i.state = 'certified';
COMMENT ON VIEW rrcm.certificate_detail IS 'What certificates of some modes say besides certificate_result, by item';
COMMENT ON COLUMN rrcm.certificate_detail.item_id IS 'Item';
COMMENT ON COLUMN rrcm.certificate_detail.stopped_at_unit IS 'Units up to the deciding look; null where every unit counts';
COMMENT ON COLUMN rrcm.certificate_detail.targets_reached IS 'Targets that the radius reaches; null without targets';
COMMENT ON COLUMN rrcm.certificate_detail.runner_up_votes IS 'Votes for the most frequent other class, where they matter';
COMMENT ON COLUMN rrcm.certificate_detail.p_upper IS 'Upper bound of the runner-up''s probability; mode runner-up';
COMMENT ON COLUMN rrcm.certificate_detail.p_value IS 'p-value of the two leading classes; mode predict';

CREATE VIEW rrcm.samples_used AS
SELECT i.run_id,
       i.sigma,
       count(*) AS finished,
       sum(c.n0::bigint + c.n)::bigint AS used,
       sum(stored.samples - c.n0 - c.n)::bigint AS beyond,
       sum(p.n0::bigint + p.n)::bigint AS planned
  FROM rrcm.item i
  JOIN rrcm.certificate c USING (item_id)
  JOIN rrcm.certification p ON p.run_id = i.run_id
 CROSS JOIN LATERAL (
   SELECT coalesce(sum(k.samples), 0) AS samples FROM rrcm.chunk_count k WHERE k.item_id = i.item_id
 ) AS stored
 WHERE i.state = 'certified'
 GROUP BY i.run_id, i.sigma;
COMMENT ON VIEW rrcm.samples_used IS
  'Per run and sigma, over the items with a certificate: samples that count, and what stopping early cost and saved';
COMMENT ON COLUMN rrcm.samples_used.run_id IS 'Run';
COMMENT ON COLUMN rrcm.samples_used.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.samples_used.finished IS 'Items with a certificate or an abstention';
COMMENT ON COLUMN rrcm.samples_used.used IS 'Samples that their certificates rest on, selection included';
COMMENT ON COLUMN rrcm.samples_used.beyond IS
  'Samples computed beyond the deciding looks: on their way when the items stopped; they count nowhere';
COMMENT ON COLUMN rrcm.samples_used.planned IS 'Samples that all n draws would have taken';
