-- 0010 audits: a share of chunks is computed again by another worker; machines that compute wrongly are set aside, and what
-- rests on their votes is done anew.
--
-- For an operator of a large table: the columns added here have constant defaults, so no table is rewritten. Runs that were
-- submitted before have an audit share of 0 and go on as they were.

-- Workers that are set aside ----------------------------------------------------------------------------------------

ALTER TABLE rrcm.worker
  ADD COLUMN process_since     timestamptz,
  ADD COLUMN quarantined_at    timestamptz,
  ADD COLUMN quarantine_reason text,
  ADD CONSTRAINT worker_quarantined_with_reason CHECK ((quarantined_at IS NULL) = (quarantine_reason IS NULL));
UPDATE rrcm.worker SET process_since = registered_at;
ALTER TABLE rrcm.worker
  ALTER COLUMN process_since SET DEFAULT now(),
  ALTER COLUMN process_since SET NOT NULL;
COMMENT ON COLUMN rrcm.worker.process_since IS
  'When its present process (host and pid) first registered under this name: what it loaded then it may still hold';
COMMENT ON COLUMN rrcm.worker.quarantined_at IS
  'Since when it may neither claim nor post, because it computed wrongly; null otherwise. rrcm worker release ends it';
COMMENT ON COLUMN rrcm.worker.quarantine_reason IS 'The recorded machine fault';

-- Votes and certificates that do not count any more -------------------------------------------------------------------

CREATE TABLE rrcm.chunk_count_void (
  item_id    bigint NOT NULL REFERENCES rrcm.item ON DELETE CASCADE,
  phase      smallint NOT NULL,
  chunk      int NOT NULL,
  samples    int NOT NULL,
  classes    smallint[] NOT NULL,
  votes      int[] NOT NULL,
  worker_id  bigint NOT NULL REFERENCES rrcm.worker,
  compute_ms real NOT NULL,
  posted_at  timestamptz NOT NULL,
  voided_at  timestamptz NOT NULL DEFAULT now(),
  reason     text NOT NULL,
  CONSTRAINT chunk_count_void_pkey PRIMARY KEY (item_id, phase, chunk, voided_at)
);
CREATE TRIGGER chunk_count_void_append_only BEFORE UPDATE ON rrcm.chunk_count_void
  FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();
COMMENT ON TABLE rrcm.chunk_count_void IS
  'Votes that were taken out of chunk_count for a recorded fault; kept for good, counted nowhere. A chunk may be here several times';
COMMENT ON COLUMN rrcm.chunk_count_void.item_id IS 'Item';
COMMENT ON COLUMN rrcm.chunk_count_void.phase IS '0 selection, 1 estimation';
COMMENT ON COLUMN rrcm.chunk_count_void.chunk IS 'Chunk within the phase';
COMMENT ON COLUMN rrcm.chunk_count_void.samples IS 'Samples in the chunk';
COMMENT ON COLUMN rrcm.chunk_count_void.classes IS 'Classes that got votes, ascending';
COMMENT ON COLUMN rrcm.chunk_count_void.votes IS 'Votes of each of those classes';
COMMENT ON COLUMN rrcm.chunk_count_void.worker_id IS 'Worker that posted it';
COMMENT ON COLUMN rrcm.chunk_count_void.compute_ms IS 'Time the computation took, in milliseconds';
COMMENT ON COLUMN rrcm.chunk_count_void.posted_at IS 'When it was posted';
COMMENT ON COLUMN rrcm.chunk_count_void.voided_at IS 'When it was taken out';
COMMENT ON COLUMN rrcm.chunk_count_void.reason IS 'Why it does not count';

CREATE TABLE rrcm.certificate_superseded (
  item_id       bigint NOT NULL REFERENCES rrcm.item ON DELETE CASCADE,
  superseded_at timestamptz NOT NULL DEFAULT now(),
  reason        text NOT NULL,
  certificate   jsonb NOT NULL,
  CONSTRAINT certificate_superseded_pkey PRIMARY KEY (item_id, superseded_at)
);
CREATE TRIGGER certificate_superseded_append_only BEFORE UPDATE ON rrcm.certificate_superseded
  FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();
COMMENT ON TABLE rrcm.certificate_superseded IS
  'Certificates that rested on votes which were voided; the item was opened again and gets a new one';
COMMENT ON COLUMN rrcm.certificate_superseded.item_id IS 'Item';
COMMENT ON COLUMN rrcm.certificate_superseded.superseded_at IS 'When it was taken back';
COMMENT ON COLUMN rrcm.certificate_superseded.reason IS 'Why';
COMMENT ON COLUMN rrcm.certificate_superseded.certificate IS 'The row of the table certificate as it was, numbers at full precision';

ALTER TABLE rrcm.item ADD COLUMN revision int NOT NULL DEFAULT 0;
COMMENT ON COLUMN rrcm.item.revision IS
  'How often votes of it were voided: what an aggregator made of an earlier revision is not stored';

-- Audits ---------------------------------------------------------------------------------------------------------------

ALTER TABLE rrcm.certification
  ADD COLUMN audit_share double precision NOT NULL DEFAULT 0,
  ADD CONSTRAINT certification_audit_share_is_share CHECK (audit_share >= 0 AND audit_share <= 1);
COMMENT ON COLUMN rrcm.certification.audit_share IS
  'Share of chunks that another worker computes again, besides one of every worker''s first image; 0 for no audits at all';

CREATE TABLE rrcm.audit_salt (
  run_id bigint NOT NULL REFERENCES rrcm.certification ON DELETE CASCADE,
  salt   bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
  CONSTRAINT audit_salt_pkey PRIMARY KEY (run_id),
  CONSTRAINT audit_salt_length CHECK (length(salt) >= 32)
);
COMMENT ON TABLE rrcm.audit_salt IS
  'Secret of each run that decides which chunks are audited; workers must not be able to read it';
COMMENT ON COLUMN rrcm.audit_salt.run_id IS 'Certification run';
COMMENT ON COLUMN rrcm.audit_salt.salt IS 'Random bytes, drawn when the run was submitted';

CREATE FUNCTION rrcm.audit_draw(salt bytea, item_id bigint, phase int, chunk int) RETURNS double precision
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN ('x' || encode(
           substring(sha256(salt || int8send(item_id) || int4send(phase) || int4send(chunk)) FROM 1 FOR 6), 'hex')
         )::bit(48)::bigint::double precision / 281474976710656.0;
COMMENT ON FUNCTION rrcm.audit_draw(bytea, bigint, int, int) IS
  'A number in [0, 1) per chunk, by hash: the chunk is audited when it is under the run''s audit share';

CREATE TYPE rrcm.audit_state AS ENUM ('due', 'disputed', 'agreed', 'self_audited', 'undecided', 'void');
COMMENT ON TYPE rrcm.audit_state IS
  'due: to be computed again; disputed: results differ, arbitration goes on; agreed: another worker found the same votes; '
  'self_audited: only the worker that posted it was there, and found them again in other batches; undecided: nobody can tell '
  'who is wrong, the item is held; void: its votes were voided, a new audit is drawn with the new ones';

CREATE TABLE rrcm.audit (
  audit_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id       bigint NOT NULL REFERENCES rrcm.run ON DELETE CASCADE,
  item_id      bigint NOT NULL REFERENCES rrcm.item ON DELETE CASCADE,
  phase        smallint NOT NULL,
  chunk        int NOT NULL,
  cause        text NOT NULL,
  state        rrcm.audit_state NOT NULL DEFAULT 'due',
  poster_id    bigint NOT NULL REFERENCES rrcm.worker,
  holder_id    bigint REFERENCES rrcm.worker,
  holder_epoch int,
  deadline_at  timestamptz,
  due_at       timestamptz NOT NULL DEFAULT now(),
  disputed_at  timestamptz,
  decided_at   timestamptz,
  result       text,
  CONSTRAINT audit_cause_known CHECK (cause IN ('drawn', 'worker', 'disagreement')),
  CONSTRAINT audit_held_with_deadline CHECK (
    (holder_id IS NULL) = (deadline_at IS NULL) AND (holder_id IS NULL) = (holder_epoch IS NULL)),
  CONSTRAINT audit_disputed_since CHECK (state <> 'disputed' OR disputed_at IS NOT NULL),
  CONSTRAINT audit_decided_or_open CHECK ((state IN ('due', 'disputed')) = (decided_at IS NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX audit_once ON rrcm.audit (item_id, phase, chunk) WHERE state <> 'void';
CREATE INDEX audit_open ON rrcm.audit (run_id, audit_id) WHERE state IN ('due', 'disputed');
-- For the removal of runs: audit_once leaves void ones out.
CREATE INDEX audit_item ON rrcm.audit (item_id);
CREATE INDEX audit_poster ON rrcm.audit (run_id, poster_id);
COMMENT ON TABLE rrcm.audit IS
  'Chunks that are, or were, computed again to check the worker that posted them; a certificate is provisional while one of its chunks has an open audit';
COMMENT ON COLUMN rrcm.audit.audit_id IS 'Number of the audit';
COMMENT ON COLUMN rrcm.audit.run_id IS 'Run of the item';
COMMENT ON COLUMN rrcm.audit.item_id IS 'Item';
COMMENT ON COLUMN rrcm.audit.phase IS '0 selection, 1 estimation';
COMMENT ON COLUMN rrcm.audit.chunk IS 'Chunk within the phase';
COMMENT ON COLUMN rrcm.audit.cause IS
  'drawn: by the run''s share; worker: the first image to which a worker contributed; disagreement: two posts of one chunk differed';
COMMENT ON COLUMN rrcm.audit.state IS 'due and disputed are open, the others final';
COMMENT ON COLUMN rrcm.audit.poster_id IS 'Worker whose votes are checked';
COMMENT ON COLUMN rrcm.audit.holder_id IS 'Worker that computes it at present; null when nobody does';
COMMENT ON COLUMN rrcm.audit.holder_epoch IS 'Epoch of that worker';
COMMENT ON COLUMN rrcm.audit.deadline_at IS 'When another worker may take it';
COMMENT ON COLUMN rrcm.audit.due_at IS 'When it was drawn';
COMMENT ON COLUMN rrcm.audit.disputed_at IS 'When results first differed';
COMMENT ON COLUMN rrcm.audit.decided_at IS 'When it was decided';
COMMENT ON COLUMN rrcm.audit.result IS 'How it ended, one sentence';

CREATE TABLE rrcm.audit_computation (
  audit_id   bigint NOT NULL REFERENCES rrcm.audit ON DELETE CASCADE,
  worker_id  bigint NOT NULL REFERENCES rrcm.worker,
  epoch      int NOT NULL,
  classes    smallint[] NOT NULL,
  votes      int[] NOT NULL,
  compute_ms real NOT NULL,
  posted_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT audit_computation_pkey PRIMARY KEY (audit_id, worker_id),
  CONSTRAINT audit_computation_classes_match_votes CHECK (cardinality(classes) = cardinality(votes))
);
CREATE TRIGGER audit_computation_append_only BEFORE UPDATE ON rrcm.audit_computation
  FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();
COMMENT ON TABLE rrcm.audit_computation IS
  'What the workers that computed an audited chunk again found; the votes that count are in chunk_count';
COMMENT ON COLUMN rrcm.audit_computation.audit_id IS 'Audit';
COMMENT ON COLUMN rrcm.audit_computation.worker_id IS 'Worker that computed it again';
COMMENT ON COLUMN rrcm.audit_computation.epoch IS 'Epoch of that worker';
COMMENT ON COLUMN rrcm.audit_computation.classes IS 'Classes that got votes, ascending';
COMMENT ON COLUMN rrcm.audit_computation.votes IS 'Votes of each of those classes';
COMMENT ON COLUMN rrcm.audit_computation.compute_ms IS 'Time the computation took, in milliseconds';
COMMENT ON COLUMN rrcm.audit_computation.posted_at IS 'When it was posted';

CREATE TABLE rrcm.canary_check (
  audit_id      bigint NOT NULL REFERENCES rrcm.audit ON DELETE CASCADE,
  worker_id     bigint NOT NULL REFERENCES rrcm.worker,
  asked_at      timestamptz NOT NULL DEFAULT now(),
  logits_digest text,
  answered_at   timestamptz,
  CONSTRAINT canary_check_pkey PRIMARY KEY (audit_id, worker_id),
  CONSTRAINT canary_check_answered_with_digest CHECK ((answered_at IS NULL) = (logits_digest IS NULL))
);
COMMENT ON TABLE rrcm.canary_check IS
  'Workers that are asked to compute the canary batch again with the weights they hold, because no third worker can settle a dispute';
COMMENT ON COLUMN rrcm.canary_check.audit_id IS 'Disputed audit';
COMMENT ON COLUMN rrcm.canary_check.worker_id IS 'Worker that is asked';
COMMENT ON COLUMN rrcm.canary_check.asked_at IS 'When';
COMMENT ON COLUMN rrcm.canary_check.logits_digest IS 'What it answered: SHA-256 of the logits, as bits';
COMMENT ON COLUMN rrcm.canary_check.answered_at IS 'When it answered';

ALTER TABLE rrcm.disagreement ADD COLUMN audit_id bigint REFERENCES rrcm.audit ON DELETE CASCADE;
CREATE INDEX disagreement_unsettled ON rrcm.disagreement (disagreement_id) WHERE audit_id IS NULL;
COMMENT ON COLUMN rrcm.disagreement.audit_id IS 'Audit that settles it; null until the coordinator has seen it';

-- Views ----------------------------------------------------------------------------------------------------------------

CREATE VIEW rrcm.run_audit AS
SELECT p.run_id,
       p.audit_share,
       count(a.audit_id) FILTER (WHERE a.state = 'due') AS due,
       count(a.audit_id) FILTER (WHERE a.state = 'disputed') AS disputed,
       count(a.audit_id) FILTER (WHERE a.state = 'agreed') AS agreed,
       count(a.audit_id) FILTER (WHERE a.state = 'self_audited') AS self_audited,
       count(a.audit_id) FILTER (WHERE a.state = 'undecided') AS undecided,
       count(DISTINCT a.item_id) FILTER (WHERE a.state IN ('due', 'disputed') AND i.state = 'certified') AS provisional,
       (SELECT count(*) FROM rrcm.chunk_count_void v JOIN rrcm.item vi USING (item_id) WHERE vi.run_id = p.run_id) AS voided,
       (SELECT count(*) FROM rrcm.certificate_superseded s JOIN rrcm.item si USING (item_id) WHERE si.run_id = p.run_id)
         AS superseded
  FROM rrcm.certification p
  LEFT JOIN rrcm.audit a USING (run_id)
  LEFT JOIN rrcm.item i ON i.item_id = a.item_id
 GROUP BY p.run_id;
COMMENT ON VIEW rrcm.run_audit IS 'One row per certification run: what was computed again, and what came of it';
COMMENT ON COLUMN rrcm.run_audit.run_id IS 'Run';
COMMENT ON COLUMN rrcm.run_audit.audit_share IS 'Share of chunks that is audited; 0 when nothing is';
COMMENT ON COLUMN rrcm.run_audit.due IS 'Audits that wait for a worker, or are being computed';
COMMENT ON COLUMN rrcm.run_audit.disputed IS 'Audits whose results differ and that are not settled yet';
COMMENT ON COLUMN rrcm.run_audit.agreed IS 'Chunks for which another worker found the same votes';
COMMENT ON COLUMN rrcm.run_audit.self_audited IS
  'Chunks that only the worker which posted them computed again, in other batches: no other was there';
COMMENT ON COLUMN rrcm.run_audit.undecided IS 'Disputes that nothing could settle; their items are held';
COMMENT ON COLUMN rrcm.run_audit.provisional IS 'Certificates with an open audit';
COMMENT ON COLUMN rrcm.run_audit.voided IS 'Chunks whose votes were voided';
COMMENT ON COLUMN rrcm.run_audit.superseded IS 'Certificates that were taken back';

CREATE OR REPLACE VIEW rrcm.certificate_result AS
SELECT i.run_id,
       r.name AS run_name,
       i.item_id,
       i.image_index,
       d.source,
       d.split,
       i.sigma,
       i.label,
       i.state,
       c.mode,
       c.top_class,
       c.predicted,
       c.radius,
       c.abstained,
       c.correct,
       c.n_a,
       c.n0,
       c.n,
       c.alpha,
       c.slack,
       c.p_lower,
       c.numerics_id,
       c.compute_seconds,
       c.certified_at,
       CASE
         WHEN c.item_id IS NOT NULL THEN
           EXISTS (SELECT FROM rrcm.audit a WHERE a.item_id = i.item_id AND a.state IN ('due', 'disputed'))
       END AS provisional
  FROM rrcm.item i
  JOIN rrcm.run r USING (run_id)
  LEFT JOIN rrcm.dataset_image d ON d.dataset_digest = r.dataset_digest AND d.image_index = i.image_index
  LEFT JOIN rrcm.certificate c ON c.item_id = i.item_id AND i.state = 'certified';
COMMENT ON COLUMN rrcm.certificate_result.provisional IS
  'Whether some of its votes are still to be computed again by an audit; null without a certificate';

CREATE OR REPLACE VIEW rrcm.certification_protocol AS
SELECT run_id,
       mode,
       n0,
       n,
       alpha,
       sampler,
       chunk_samples,
       audit_share
  FROM rrcm.certification;
COMMENT ON COLUMN rrcm.certification_protocol.audit_share IS
  'Share of chunks that another worker computes again; no certificate depends on it';
