-- The schema that the migrations make, for reading and searching; `rrcm migrate up` applies the migrations.
-- Made by: RRCM_REGENERATE=1 swift test --filter SchemaTests

CREATE SCHEMA rrcm;

COMMENT ON SCHEMA rrcm IS 'rRCM Fleet: certification and training work, votes and certificates';

CREATE TYPE rrcm.attempt_outcome AS ENUM (
    'died',
    'expired',
    'failed'
);

COMMENT ON TYPE rrcm.attempt_outcome IS 'died: the worker went silent or was started anew while it held the work; expired: it beat, but let the deadline pass; failed: computing raised an error';

CREATE TYPE rrcm.audit_state AS ENUM (
    'due',
    'disputed',
    'agreed',
    'self_audited',
    'undecided',
    'void'
);

COMMENT ON TYPE rrcm.audit_state IS 'due: to be computed again; disputed: results differ, arbitration goes on; agreed: another worker found the same votes; self_audited: only the worker that posted it was there, and found them again in other batches; undecided: nobody can tell who is wrong, the item is held; void: its votes were voided, a new audit is drawn with the new ones';

CREATE TYPE rrcm.item_state AS ENUM (
    'open',
    'claimed',
    'certified',
    'held',
    'cancelled'
);

COMMENT ON TYPE rrcm.item_state IS 'open: units never claimed are left; claimed: none left, votes or certificate may be missing; certified: has its certificate or abstention; held: must not be certified, see error; cancelled: its run was';

CREATE TYPE rrcm.job_state AS ENUM (
    'queued',
    'running',
    'done',
    'failed',
    'cancelled'
);

COMMENT ON TYPE rrcm.job_state IS 'queued: a worker may claim it, from the snapshot if there is one; running: held by a worker; done, failed (three attempts) and cancelled are final';

CREATE TYPE rrcm.part_kind AS ENUM (
    'coordinator',
    'aggregator'
);

COMMENT ON TYPE rrcm.part_kind IS 'Parts that hold nothing: coordinator (one leads, others stand by) and aggregator (all of them work)';

CREATE TYPE rrcm.run_kind AS ENUM (
    'pretrain',
    'finetune',
    'certify'
);

COMMENT ON TYPE rrcm.run_kind IS 'What a run does: pretrain (encoder, without labels), finetune (a classifier), certify (image by image)';

CREATE TYPE rrcm.run_state AS ENUM (
    'submitted',
    'running',
    'done',
    'failed',
    'cancelled'
);

COMMENT ON TYPE rrcm.run_state IS 'submitted: not planned yet, or waits for another run; running: has items or a job; done, failed and cancelled are final';

CREATE TYPE rrcm.sweep_state AS ENUM (
    'running',
    'done',
    'stopped'
);

COMMENT ON TYPE rrcm.sweep_state IS 'running: some trial has not ended; done: all have, well or badly; stopped: by a person, and so its open trials';

CREATE TYPE rrcm.trial_state AS ENUM (
    'open',
    'done',
    'failed',
    'stopped'
);

COMMENT ON TYPE rrcm.trial_state IS 'open: runs of it are to come or under way; done: all are done; failed: one failed; stopped: the sweep was, or one was cancelled';

CREATE TYPE rrcm.trial_step AS ENUM (
    'finetune',
    'certify',
    'confirm'
);

COMMENT ON TYPE rrcm.trial_step IS 'The runs of a trial, in order: finetune trains its classifier, certify scores it, confirm scores the best trial on other images';

CREATE TYPE rrcm.worker_state AS ENUM (
    'live',
    'draining',
    'gone'
);

COMMENT ON TYPE rrcm.worker_state IS 'live: beats; draining: finishes what it holds and claims no more, as rrcm worker drain asks; gone: stopped, or silent for too long';

CREATE FUNCTION rrcm.acts_for(login name) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  SELECT $1 = session_user
         -- Whoever may do it without us; and everybody where "rrcm roles apply" was never run, as with tables.
         OR EXISTS (
              SELECT
                FROM pg_roles r
               WHERE r.rolname IN ('rrcm_coordinator', 'rrcm_owner')
                 AND pg_has_role(session_user, r.oid, 'USAGE'))
         OR NOT EXISTS (
              SELECT
                FROM pg_namespace n
                JOIN pg_roles r ON r.oid = n.nspowner
               WHERE n.nspname = 'rrcm'
                 AND r.rolname = 'rrcm_owner')
$_$;

COMMENT ON FUNCTION rrcm.acts_for(login name) IS 'Whether this session may act for the workers of a login: its own, or all for coordinator and owner. For functions that run with their owner''s rights';

CREATE FUNCTION rrcm.audit_draw(salt bytea, item_id bigint, phase integer, chunk integer) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ((((('x'::text || encode(SUBSTRING(sha256((((salt || int8send(item_id)) || int4send(phase)) || int4send(chunk))) FROM 1 FOR 6), 'hex'::text)))::bit(48))::bigint)::double precision / (281474976710656.0)::double precision);

COMMENT ON FUNCTION rrcm.audit_draw(salt bytea, item_id bigint, phase integer, chunk integer) IS 'A number in [0, 1) per chunk, by hash: the chunk is audited when it is under the run''s audit share';

CREATE TABLE rrcm.audit (
    audit_id bigint NOT NULL,
    run_id bigint NOT NULL,
    item_id bigint NOT NULL,
    phase smallint NOT NULL,
    chunk integer NOT NULL,
    cause text NOT NULL,
    state rrcm.audit_state DEFAULT 'due'::rrcm.audit_state NOT NULL,
    poster_id bigint NOT NULL,
    holder_id bigint,
    holder_epoch integer,
    deadline_at timestamp with time zone,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    disputed_at timestamp with time zone,
    decided_at timestamp with time zone,
    result text,
    CONSTRAINT audit_cause_known CHECK ((cause = ANY (ARRAY['drawn'::text, 'worker'::text, 'disagreement'::text]))),
    CONSTRAINT audit_decided_or_open CHECK (((state = ANY (ARRAY['due'::rrcm.audit_state, 'disputed'::rrcm.audit_state])) = (decided_at IS NULL))),
    CONSTRAINT audit_disputed_since CHECK (((state <> 'disputed'::rrcm.audit_state) OR (disputed_at IS NOT NULL))),
    CONSTRAINT audit_held_with_deadline CHECK ((((holder_id IS NULL) = (deadline_at IS NULL)) AND ((holder_id IS NULL) = (holder_epoch IS NULL))))
)
WITH (fillfactor='70');

COMMENT ON TABLE rrcm.audit IS 'Chunks that are, or were, computed again to check the worker that posted them; a certificate is provisional while one of its chunks has an open audit';

COMMENT ON COLUMN rrcm.audit.audit_id IS 'Number of the audit';

COMMENT ON COLUMN rrcm.audit.run_id IS 'Run of the item';

COMMENT ON COLUMN rrcm.audit.item_id IS 'Item';

COMMENT ON COLUMN rrcm.audit.phase IS '0 selection, 1 estimation';

COMMENT ON COLUMN rrcm.audit.chunk IS 'Chunk within the phase';

COMMENT ON COLUMN rrcm.audit.cause IS 'drawn: by the run''s share; worker: the first image to which a worker contributed; disagreement: two posts of one chunk differed';

COMMENT ON COLUMN rrcm.audit.state IS 'due and disputed are open, the others final';

COMMENT ON COLUMN rrcm.audit.poster_id IS 'Worker whose votes are checked';

COMMENT ON COLUMN rrcm.audit.holder_id IS 'Worker that computes it at present; null when nobody does';

COMMENT ON COLUMN rrcm.audit.holder_epoch IS 'Epoch of that worker';

COMMENT ON COLUMN rrcm.audit.deadline_at IS 'When another worker may take it';

COMMENT ON COLUMN rrcm.audit.due_at IS 'When it was drawn';

COMMENT ON COLUMN rrcm.audit.disputed_at IS 'When results first differed';

COMMENT ON COLUMN rrcm.audit.decided_at IS 'When it was decided';

COMMENT ON COLUMN rrcm.audit.result IS 'How it ended, one sentence';

CREATE TABLE rrcm.certificate (
    item_id bigint NOT NULL,
    mode text NOT NULL,
    top_class integer NOT NULL,
    n_a integer NOT NULL,
    n0 integer NOT NULL,
    n integer NOT NULL,
    alpha double precision NOT NULL,
    slack double precision NOT NULL,
    p_lower double precision NOT NULL,
    abstained boolean NOT NULL,
    predicted integer,
    radius double precision,
    correct boolean NOT NULL,
    numerics_id text NOT NULL,
    compute_seconds double precision NOT NULL,
    certified_at timestamp with time zone DEFAULT now() NOT NULL,
    stopped_at_unit integer,
    targets_reached numeric[],
    runner_up_votes integer,
    p_upper double precision,
    p_value double precision,
    CONSTRAINT certificate_abstains_without_radius CHECK (((abstained = (radius IS NULL)) AND (abstained = (predicted IS NULL)))),
    CONSTRAINT certificate_abstention_is_not_correct CHECK ((NOT (abstained AND correct))),
    CONSTRAINT certificate_bound_is_probability CHECK (((p_lower >= (0)::double precision) AND (p_lower <= (1)::double precision))),
    CONSTRAINT certificate_certifies_its_top_class CHECK ((abstained OR (predicted = top_class))),
    CONSTRAINT certificate_hits_in_range CHECK (((n_a >= 0) AND (n_a <= n))),
    CONSTRAINT certificate_probabilities CHECK ((COALESCE(((p_upper >= (0)::double precision) AND (p_upper <= (1)::double precision)), true) AND COALESCE(((p_value >= (0)::double precision) AND (p_value <= (1)::double precision)), true))),
    CONSTRAINT certificate_radius_not_negative CHECK (((radius IS NULL) OR (radius >= (0)::double precision)))
);

COMMENT ON TABLE rrcm.certificate IS 'A pure function of the stored votes and the protocol; anyone can recompute it';

COMMENT ON COLUMN rrcm.certificate.item_id IS 'Item';

COMMENT ON COLUMN rrcm.certificate.mode IS 'How the bound was formed';

COMMENT ON COLUMN rrcm.certificate.top_class IS 'Class that selection chose';

COMMENT ON COLUMN rrcm.certificate.n_a IS 'Estimation votes for the top class';

COMMENT ON COLUMN rrcm.certificate.n0 IS 'Selection draws';

COMMENT ON COLUMN rrcm.certificate.n IS 'Estimation draws that count: those up to the deciding look';

COMMENT ON COLUMN rrcm.certificate.alpha IS 'Failure probability of this one certificate';

COMMENT ON COLUMN rrcm.certificate.slack IS 'Subtracted from the bound for the sampler''s finite precision';

COMMENT ON COLUMN rrcm.certificate.p_lower IS 'Lower bound of the top class''s probability, slack subtracted';

COMMENT ON COLUMN rrcm.certificate.abstained IS 'True when the bound is not above one half';

COMMENT ON COLUMN rrcm.certificate.predicted IS 'Certified class; null when abstained';

COMMENT ON COLUMN rrcm.certificate.radius IS 'Certified L2 radius in sigma''s units; null when abstained';

COMMENT ON COLUMN rrcm.certificate.correct IS 'Whether the certified class is the label; false when abstained';

COMMENT ON COLUMN rrcm.certificate.numerics_id IS 'Numerics id of every vote in it';

COMMENT ON COLUMN rrcm.certificate.compute_seconds IS 'Compute time of all its chunks';

COMMENT ON COLUMN rrcm.certificate.certified_at IS 'When it was computed';

COMMENT ON COLUMN rrcm.certificate.stopped_at_unit IS 'Units up to the deciding look; votes of later units count nowhere. Null where every unit counts';

COMMENT ON COLUMN rrcm.certificate.targets_reached IS 'Those of the run''s targets that the radius reaches; null without targets';

COMMENT ON COLUMN rrcm.certificate.runner_up_votes IS 'Estimation votes for the most frequent other class; null where they do not matter';

COMMENT ON COLUMN rrcm.certificate.p_upper IS 'Upper bound of the runner-up''s probability, slack added; mode runner-up';

COMMENT ON COLUMN rrcm.certificate.p_value IS 'p-value of the two-sided test between the two leading classes; mode predict';

CREATE TABLE rrcm.dataset_image (
    dataset_digest text NOT NULL,
    image_index integer NOT NULL,
    split text NOT NULL,
    label integer NOT NULL,
    source text NOT NULL,
    image_digest text NOT NULL,
    CONSTRAINT dataset_image_index_not_negative CHECK ((image_index >= 0)),
    CONSTRAINT dataset_image_label_not_negative CHECK ((label >= 0))
);

COMMENT ON TABLE rrcm.dataset_image IS 'One row per image of an image set';

COMMENT ON COLUMN rrcm.dataset_image.dataset_digest IS 'Image set';

COMMENT ON COLUMN rrcm.dataset_image.image_index IS 'Position in the image set; part of the noise counter';

COMMENT ON COLUMN rrcm.dataset_image.split IS 'Fixed split the image belongs to, for example train or heldout';

COMMENT ON COLUMN rrcm.dataset_image.label IS 'True class';

COMMENT ON COLUMN rrcm.dataset_image.source IS 'File or row it came from';

COMMENT ON COLUMN rrcm.dataset_image.image_digest IS 'SHA-256 of the image''s bytes [C, H, W]';

CREATE TABLE rrcm.item (
    item_id bigint NOT NULL,
    run_id bigint NOT NULL,
    image_index integer NOT NULL,
    sigma numeric NOT NULL,
    label integer NOT NULL,
    state rrcm.item_state DEFAULT 'open'::rrcm.item_state NOT NULL,
    unit_count integer NOT NULL,
    next_unit integer DEFAULT 0 NOT NULL,
    numerics_id text,
    top_class integer,
    error text,
    revision integer DEFAULT 0 NOT NULL,
    target_units integer,
    looks_decided integer DEFAULT 0 NOT NULL,
    CONSTRAINT item_held_with_reason CHECK (((state <> 'held'::rrcm.item_state) OR (error IS NOT NULL))),
    CONSTRAINT item_looks_not_negative CHECK ((looks_decided >= 0)),
    CONSTRAINT item_open_while_units_are_left CHECK (((state <> 'open'::rrcm.item_state) OR (next_unit < COALESCE(target_units, unit_count)))),
    CONSTRAINT item_target_in_range CHECK (((target_units >= next_unit) AND (target_units <= unit_count))),
    CONSTRAINT item_units_in_range CHECK (((unit_count >= 2) AND ((next_unit >= 0) AND (next_unit <= unit_count))))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='5000');

COMMENT ON TABLE rrcm.item IS 'One image at one sigma of a certification run';

COMMENT ON COLUMN rrcm.item.item_id IS 'Number of the item';

COMMENT ON COLUMN rrcm.item.run_id IS 'Certification run the item belongs to';

COMMENT ON COLUMN rrcm.item.image_index IS 'Image: dataset_image.image_index in the run''s image set';

COMMENT ON COLUMN rrcm.item.sigma IS 'Noise level: standard deviation in the [0, 1] pixel range';

COMMENT ON COLUMN rrcm.item.label IS 'True class, copied from the image set when the run was planned';

COMMENT ON COLUMN rrcm.item.state IS 'open: units never claimed are left; claimed: none left; held: votes disagree, see error';

COMMENT ON COLUMN rrcm.item.unit_count IS 'Units in all: one selection chunk and the estimation chunks';

COMMENT ON COLUMN rrcm.item.next_unit IS 'First unit never claimed';

COMMENT ON COLUMN rrcm.item.numerics_id IS 'The one numerics id whose votes it takes; set by its first claim';

COMMENT ON COLUMN rrcm.item.top_class IS 'Class that selection chose; frozen before estimation votes are read';

COMMENT ON COLUMN rrcm.item.error IS 'Why it is held';

COMMENT ON COLUMN rrcm.item.revision IS 'How often votes of it were voided: what an aggregator made of an earlier revision is not stored';

COMMENT ON COLUMN rrcm.item.target_units IS 'Units that may be claimed so far, in modes that stop early; null for all. Claimed through, the item waits for a look';

COMMENT ON COLUMN rrcm.item.looks_decided IS 'Looks that have been taken without deciding the item';

CREATE TABLE rrcm.run (
    run_id bigint NOT NULL,
    kind rrcm.run_kind NOT NULL,
    name text NOT NULL,
    state rrcm.run_state DEFAULT 'submitted'::rrcm.run_state NOT NULL,
    spec jsonb NOT NULL,
    seed bigint NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    dataset_digest text NOT NULL,
    checkpoint_digest text,
    depends_on bigint,
    image_indices integer[],
    numerics_ids text[] DEFAULT '{}'::text[] NOT NULL,
    software text NOT NULL,
    error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    weight integer DEFAULT 100 NOT NULL,
    paused_at timestamp with time zone,
    stranded_at timestamp with time zone,
    CONSTRAINT run_certify_has_images CHECK (((kind = 'certify'::rrcm.run_kind) = (image_indices IS NOT NULL))),
    CONSTRAINT run_error_when_failed CHECK (((state <> 'failed'::rrcm.run_state) OR (error IS NOT NULL))),
    CONSTRAINT run_finished_or_finished_at_null CHECK (((state = ANY (ARRAY['done'::rrcm.run_state, 'failed'::rrcm.run_state, 'cancelled'::rrcm.run_state])) = (finished_at IS NOT NULL))),
    CONSTRAINT run_seed_not_negative CHECK ((seed >= 0)),
    CONSTRAINT run_weight_positive CHECK ((weight > 0))
);

COMMENT ON TABLE rrcm.run IS 'One certification or training with one resolved configuration';

COMMENT ON COLUMN rrcm.run.run_id IS 'Number of the run';

COMMENT ON COLUMN rrcm.run.kind IS 'What it does';

COMMENT ON COLUMN rrcm.run.name IS 'Name given by its run file';

COMMENT ON COLUMN rrcm.run.state IS 'submitted until the coordinator has planned it and what it depends on is done';

COMMENT ON COLUMN rrcm.run.spec IS 'The resolved run file; submitting it again repeats the run';

COMMENT ON COLUMN rrcm.run.seed IS 'Seed of every random draw of the run';

COMMENT ON COLUMN rrcm.run.priority IS 'Higher is served first; equal ones share the workers'' time by weight';

COMMENT ON COLUMN rrcm.run.dataset_digest IS 'Image set it reads';

COMMENT ON COLUMN rrcm.run.checkpoint_digest IS 'Checkpoint it starts from; null for pretrain, and until the run it depends on is done';

COMMENT ON COLUMN rrcm.run.depends_on IS 'Run whose checkpoint this one uses';

COMMENT ON COLUMN rrcm.run.image_indices IS 'The certified images, always as an explicit list';

COMMENT ON COLUMN rrcm.run.numerics_ids IS 'Numerics ids that may compute it; empty until named or taken from its first worker';

COMMENT ON COLUMN rrcm.run.software IS 'Version of the software that submitted it';

COMMENT ON COLUMN rrcm.run.error IS 'Why it failed';

COMMENT ON COLUMN rrcm.run.created_at IS 'When it was submitted';

COMMENT ON COLUMN rrcm.run.started_at IS 'When it was planned';

COMMENT ON COLUMN rrcm.run.finished_at IS 'When it ended';

COMMENT ON COLUMN rrcm.run.weight IS 'Share of the workers'' time among runs of equal priority; only ratios matter';

COMMENT ON COLUMN rrcm.run.paused_at IS 'When it was paused; nothing of it is claimed until it is resumed';

COMMENT ON COLUMN rrcm.run.stranded_at IS 'Since when work of it has no live worker of its numerics id; kept by the coordinator, so that one event tells of it';

CREATE VIEW rrcm.certificate_result AS
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
            WHEN (c.item_id IS NOT NULL) THEN (EXISTS ( SELECT
               FROM rrcm.audit a
              WHERE ((a.item_id = i.item_id) AND (a.state = ANY (ARRAY['due'::rrcm.audit_state, 'disputed'::rrcm.audit_state])))))
            ELSE NULL::boolean
        END AS provisional
   FROM (((rrcm.item i
     JOIN rrcm.run r USING (run_id))
     LEFT JOIN rrcm.dataset_image d ON (((d.dataset_digest = r.dataset_digest) AND (d.image_index = i.image_index))))
     LEFT JOIN rrcm.certificate c ON (((c.item_id = i.item_id) AND (i.state = 'certified'::rrcm.item_state))));

COMMENT ON VIEW rrcm.certificate_result IS 'One row per item, certified or not; certificate columns are null until it is, and again when it is held';

COMMENT ON COLUMN rrcm.certificate_result.run_id IS 'Run';

COMMENT ON COLUMN rrcm.certificate_result.run_name IS 'Name of the run';

COMMENT ON COLUMN rrcm.certificate_result.item_id IS 'Item';

COMMENT ON COLUMN rrcm.certificate_result.image_index IS 'Image';

COMMENT ON COLUMN rrcm.certificate_result.source IS 'File or row the image came from';

COMMENT ON COLUMN rrcm.certificate_result.split IS 'Split the image belongs to';

COMMENT ON COLUMN rrcm.certificate_result.sigma IS 'Noise level in the [0, 1] pixel range';

COMMENT ON COLUMN rrcm.certificate_result.label IS 'True class';

COMMENT ON COLUMN rrcm.certificate_result.state IS 'State of the item';

COMMENT ON COLUMN rrcm.certificate_result.mode IS 'How the bound was formed';

COMMENT ON COLUMN rrcm.certificate_result.top_class IS 'Class that selection chose';

COMMENT ON COLUMN rrcm.certificate_result.predicted IS 'Certified class; null when abstained';

COMMENT ON COLUMN rrcm.certificate_result.radius IS 'Certified L2 radius; null when abstained';

COMMENT ON COLUMN rrcm.certificate_result.abstained IS 'True when the bound is not above one half';

COMMENT ON COLUMN rrcm.certificate_result.correct IS 'Certified class equals the label';

COMMENT ON COLUMN rrcm.certificate_result.n_a IS 'Estimation votes for the top class';

COMMENT ON COLUMN rrcm.certificate_result.n0 IS 'Selection draws';

COMMENT ON COLUMN rrcm.certificate_result.n IS 'Estimation draws';

COMMENT ON COLUMN rrcm.certificate_result.alpha IS 'Failure probability of this one certificate';

COMMENT ON COLUMN rrcm.certificate_result.slack IS 'Subtracted from the bound for the sampler''s finite precision';

COMMENT ON COLUMN rrcm.certificate_result.p_lower IS 'Lower bound of the top class''s probability';

COMMENT ON COLUMN rrcm.certificate_result.numerics_id IS 'Numerics id of every vote in it';

COMMENT ON COLUMN rrcm.certificate_result.compute_seconds IS 'Compute time of all its chunks';

COMMENT ON COLUMN rrcm.certificate_result.certified_at IS 'When it was certified';

COMMENT ON COLUMN rrcm.certificate_result.provisional IS 'Whether some of its votes are still to be computed again by an audit; null without a certificate';

CREATE FUNCTION rrcm.average_certified_radius(run bigint, noise_level numeric) RETURNS double precision
    LANGUAGE sql STABLE
    RETURN (SELECT (COALESCE(sum(c.radius) FILTER (WHERE c.correct), (0)::double precision) / (count(*))::double precision) FROM rrcm.certificate_result c WHERE ((c.run_id = average_certified_radius.run) AND (c.sigma = average_certified_radius.noise_level)) HAVING ((count(*) = count(c.n_a)) AND (count(*) > 0)));

COMMENT ON FUNCTION rrcm.average_certified_radius(run bigint, noise_level numeric) IS 'Average certified radius (ACR) of a run''s images at one sigma, wrong and abstained ones counting 0; null until every image has its certificate';

CREATE FUNCTION rrcm.binomial_lower(hits integer, draws integer, alpha double precision) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
  low  double precision := 0;
  high double precision := hits::double precision / nullif(draws, 0);
  mid  double precision;
BEGIN
  IF draws <= 0 OR hits <= 0 THEN RETURN 0; END IF;
  IF hits >= draws THEN RETURN power(alpha, 1.0 / draws); END IF;
  -- At p = hits/draws the tail is near one half and more than alpha; it rises with p.
  WHILE high - low > 1e-12 * high LOOP
    mid := (low + high) / 2;
    IF rrcm.binomial_tail(hits, draws, mid) <= alpha THEN low := mid; ELSE high := mid; END IF;
  END LOOP;
  RETURN low;
END
$$;

COMMENT ON FUNCTION rrcm.binomial_lower(hits integer, draws integer, alpha double precision) IS 'One-sided Clopper-Pearson lower bound on a share, hits of draws, at failure probability alpha up to 0.4; for statistics over images';

CREATE FUNCTION rrcm.binomial_tail(hits integer, draws integer, p double precision) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
  log_term double precision := 0;
  total    double precision := 1;
  term     double precision := 1;
  i        int;
BEGIN
  IF hits <= 0 THEN RETURN 1; END IF;
  IF hits > draws OR p <= 0 THEN RETURN 0; END IF;
  IF p >= 1 THEN RETURN 1; END IF;
  -- ln C(draws, hits) p^hits (1 - p)^(draws - hits), then the terms above it relative to it.
  FOR i IN 1..least(hits, draws - hits) LOOP
    log_term := log_term + ln((draws - least(hits, draws - hits) + i)::double precision / i);
  END LOOP;
  log_term := log_term + hits * ln(p) + (draws - hits) * ln(1 - p);
  FOR i IN hits..draws - 1 LOOP
    term := term * (draws - i) * (p / (1 - p)) / (i + 1);
    total := total + term;
    EXIT WHEN term < 1e-18 * total AND (draws - i) * p < (i + 1) * (1 - p);
  END LOOP;
  log_term := log_term + ln(total);
  RETURN CASE WHEN log_term < -700 THEN 0 ELSE least(exp(log_term), 1) END;
END
$$;

COMMENT ON FUNCTION rrcm.binomial_tail(hits integer, draws integer, p double precision) IS 'P(Bin(draws, p) >= hits), summed term by term';

CREATE FUNCTION rrcm.binomial_upper(hits integer, draws integer, alpha double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ((1)::double precision - rrcm.binomial_lower((draws - hits), draws, alpha));

COMMENT ON FUNCTION rrcm.binomial_upper(hits integer, draws integer, alpha double precision) IS 'One-sided Clopper-Pearson upper bound; the mirror image of binomial_lower';

CREATE FUNCTION rrcm.certified_accuracy(run bigint, noise_level numeric, r double precision) RETURNS double precision
    LANGUAGE sql STABLE
    RETURN (SELECT ((count(*) FILTER (WHERE (c.correct AND (c.radius >= certified_accuracy.r))))::double precision / (count(*))::double precision) FROM rrcm.certificate_result c WHERE ((c.run_id = certified_accuracy.run) AND (c.sigma = certified_accuracy.noise_level)) HAVING ((count(*) = count(c.n_a)) AND (count(*) > 0)));

COMMENT ON FUNCTION rrcm.certified_accuracy(run bigint, noise_level numeric, r double precision) IS 'Share of a run''s images at one sigma that are both correct and certified at r or more; null until every image has its certificate';

CREATE FUNCTION rrcm.claim_audit(run_id bigint, worker_id bigint, epoch integer, numerics_id text, deadline_seconds double precision, alone_seconds double precision, patience_seconds double precision) RETURNS TABLE(audit_id bigint, item_id bigint, phase smallint, chunk integer, image_index integer, sigma text)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  -- $1 run, ($2, $3) worker, $4 its numerics id, $5 seconds that it gets, $6 until a worker counts as alone, $7 patience.
  WITH holder AS MATERIALIZED (
    SELECT w.worker_id,
           w.epoch
      FROM rrcm.worker w
     WHERE w.worker_id = $2
       AND w.epoch = $3
       AND w.state = 'live'
       AND w.quarantined_at IS NULL
       AND rrcm.acts_for(w.login)
  ), company AS MATERIALIZED (
    -- One that lives counts whatever the caller says of patience.
    SELECT count(*) FILTER (WHERE w.numerics_ids @> ARRAY[$4]) > 0 AS known,
           count(*) FILTER (WHERE w.numerics_ids = '{}' AND w.state = 'live' AND w.beat_at > now() - make_interval(secs => $6)) > 0
             AS possible
      FROM rrcm.worker w
     WHERE w.worker_id <> $2
       AND w.quarantined_at IS NULL
       AND (w.state <> 'gone' OR w.beat_at > now() - make_interval(secs => $6))
  ), chosen AS MATERIALIZED (
    SELECT a.audit_id,
           i.image_index,
           i.sigma
      FROM rrcm.audit a
      JOIN rrcm.item i USING (item_id)
      JOIN rrcm.run r ON r.run_id = a.run_id
     CROSS JOIN company
     WHERE a.run_id = $1
       AND a.state IN ('due', 'disputed')
       AND r.state = 'running'
       AND r.paused_at IS NULL
       AND i.numerics_id = $4
       AND EXISTS (SELECT FROM holder)
       AND (a.deadline_at IS NULL
            OR a.deadline_at < now()
            OR NOT EXISTS (
                 SELECT FROM rrcm.worker h
                  WHERE h.worker_id = a.holder_id AND h.epoch = a.holder_epoch AND h.state <> 'gone'))
       AND NOT EXISTS (SELECT FROM rrcm.audit_computation c WHERE c.audit_id = a.audit_id AND c.worker_id = $2)
       AND (a.poster_id <> $2
            OR a.state = 'due'
               AND (NOT company.known AND (NOT company.possible OR a.due_at < now() - make_interval(secs => $6))
                    OR a.due_at < now() - make_interval(secs => $7)))
     ORDER BY a.state = 'due', a.audit_id
     LIMIT 1
       FOR UPDATE OF a SKIP LOCKED
  )
  UPDATE rrcm.audit a
     SET holder_id = holder.worker_id,
         holder_epoch = holder.epoch,
         deadline_at = now() + make_interval(secs => $5)
    FROM chosen, holder
   WHERE a.audit_id = chosen.audit_id
  RETURNING a.audit_id, a.item_id, a.phase, a.chunk, chosen.image_index, chosen.sigma::text
$_$;

COMMENT ON FUNCTION rrcm.claim_audit(run_id bigint, worker_id bigint, epoch integer, numerics_id text, deadline_seconds double precision, alone_seconds double precision, patience_seconds double precision) IS 'Gives a worker of this login an open audit of a run; nothing when there is none for it';

CREATE FUNCTION rrcm.claim_tail(run_id bigint, worker_id bigint, epoch integer, numerics_id text, units integer, deadline_seconds double precision, samples_per_second double precision, chunk_samples integer, at_seconds double precision) RETURNS TABLE(lease_id bigint, item_id bigint, lo integer, hi integer, duplicate boolean, image_index integer, sigma text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $_$
#variable_conflict use_column
BEGIN
  -- $1 run, ($2, $3) worker, $4 its numerics id, $5 units at most, $6 seconds that it gets, $7 its samples/s, $8 samples of a
  -- chunk, $9 the time to reckon with.
  RETURN QUERY
  WITH holder AS MATERIALIZED (
    SELECT w.worker_id,
           w.epoch,
           $8 / coalesce($7, (
             SELECT avg(a.samples_per_second) FROM rrcm.worker a
              WHERE a.state = 'live' AND a.numerics_ids @> ARRAY[$4]
           )) AS own_seconds
      FROM rrcm.worker w
     WHERE w.worker_id = $2
       AND w.epoch = $3
       AND w.state = 'live'
       AND w.quarantined_at IS NULL
       AND rrcm.acts_for(w.login)
  ), held AS MATERIALIZED (
    -- Few, whatever the run's size: leases, not items, are what is walked over.
    SELECT l.lease_id,
           l.item_id,
           l.lo,
           l.hi,
           l.hi - l.lo AS units,
           extract(epoch FROM coalesce(to_timestamp($9), now()) - l.renewed_at)::double precision AS silence,
           w.samples_per_second
      FROM rrcm.lease l
      JOIN rrcm.item i USING (item_id)
      JOIN rrcm.worker w USING (worker_id)
     WHERE NOT l.duplicate
       AND l.worker_id <> $2
       AND i.run_id = $1
       AND i.state IN ('open', 'claimed')
       AND coalesce(i.numerics_id, $4) = $4
       AND EXISTS (SELECT FROM holder)
       AND EXISTS (SELECT FROM rrcm.run r WHERE r.run_id = $1 AND r.state = 'running' AND r.paused_at IS NULL)
  ), worth AS MATERIALIZED (
    SELECT held.lease_id,
           held.lo,
           held.hi,
           take.units,
           all_holders.seconds_left
      FROM held
     CROSS JOIN holder
     CROSS JOIN LATERAL (
       -- A holder that has not measured its speed is expected to take as long again as it has taken.
       SELECT coalesce($8 / nullif(held.samples_per_second, 0), 2 * held.silence / held.units) AS seconds
     ) AS h
     CROSS JOIN LATERAL (
       -- Silent for more than two chunks and two seconds: it hangs, or is gone and not yet missed.
       SELECT held.samples_per_second IS NOT NULL AND held.silence > 2 * h.seconds + 2 AS hangs,
              CASE WHEN h.seconds > 0 THEN least(held.units - 1, floor(held.silence / h.seconds)) ELSE held.units - 1 END AS begun
     ) AS s
     CROSS JOIN LATERAL (
       SELECT CASE WHEN s.hangs THEN 'Infinity' ELSE greatest(0, held.units * h.seconds - held.silence) END AS seconds_left,
              (held.units - 1 - CASE WHEN s.hangs THEN 0 ELSE s.begun END)::int AS unstarted,
              greatest(0, (s.begun + 1) * h.seconds - held.silence) AS in_hand
     ) AS t
     CROSS JOIN LATERAL (
       -- With another computation of the same units under way, what counts is which is done first.
       SELECT least(t.seconds_left, min(
                CASE
                  WHEN d.worker_id = $2 THEN 0
                  ELSE greatest(0, (d.hi - d.lo) * $8 / nullif(dw.samples_per_second, 0)
                                - extract(epoch FROM coalesce(to_timestamp($9), now())
                                          - d.renewed_at)::double precision)
                END)) AS seconds_left,
              count(*) > 0 AS is_doubled
         FROM rrcm.lease d
         JOIN rrcm.worker dw ON dw.worker_id = d.worker_id
        WHERE d.item_id = held.item_id
          AND d.duplicate
          AND d.lo < held.hi
          AND d.hi > held.lo
     ) AS all_holders
     CROSS JOIN LATERAL (
       SELECT CASE
                WHEN t.unstarted = 0 THEN 0
                WHEN s.hangs THEN least(t.unstarted, $5)
                ELSE least(
                  t.unstarted, $5,
                  floor((t.unstarted * h.seconds + t.in_hand) / (h.seconds + holder.own_seconds))::int)
              END AS units
     ) AS take
     WHERE CASE
             WHEN t.unstarted > 0 THEN take.units > 0 AND NOT all_holders.is_doubled
             ELSE all_holders.seconds_left > 0.25
                  AND held.units * holder.own_seconds < 0.8 * all_holders.seconds_left
           END
     ORDER BY all_holders.seconds_left DESC, held.lease_id
     LIMIT 64
  ), slow AS MATERIALIZED (
    -- The worst first; one that somebody else is taking from, or that moved on meanwhile, is passed over.
    SELECT l.lease_id,
           l.item_id,
           l.lo,
           l.hi,
           worth.units
      FROM worth
      JOIN rrcm.lease l ON l.lease_id = worth.lease_id AND l.lo = worth.lo AND l.hi = worth.hi AND NOT l.duplicate
     ORDER BY worth.seconds_left DESC, l.lease_id
     LIMIT 1
       FOR UPDATE OF l SKIP LOCKED
  ), shortened AS (
    UPDATE rrcm.lease l
       SET hi = l.hi - slow.units
      FROM slow
     WHERE l.lease_id = slow.lease_id
       AND slow.units > 0
  ), leased AS (
    INSERT INTO rrcm.lease (item_id, lo, hi, worker_id, epoch, deadline_at, duplicate)
    SELECT slow.item_id,
           CASE WHEN slow.units > 0 THEN slow.hi - slow.units ELSE slow.lo END,
           slow.hi,
           holder.worker_id,
           holder.epoch,
           now() + make_interval(secs => $6),
           slow.units = 0
      FROM slow
     CROSS JOIN holder
    RETURNING lease_id, item_id, lo, hi, duplicate
  )
  SELECT leased.lease_id,
         leased.item_id,
         leased.lo,
         leased.hi,
         leased.duplicate,
         i.image_index,
         i.sigma::text
    FROM leased
    JOIN rrcm.item i USING (item_id);
END
$_$;

COMMENT ON FUNCTION rrcm.claim_tail(run_id bigint, worker_id bigint, epoch integer, numerics_id text, units integer, deadline_seconds double precision, samples_per_second double precision, chunk_samples integer, at_seconds double precision) IS 'Gives a worker of this login part of what a slower one of any login holds: the unstarted end of a lease, or all of it as a duplicate';

CREATE FUNCTION rrcm.delete_old_events(days integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  WITH removed AS (
    DELETE FROM rrcm.event e
     WHERE e.at < now() - make_interval(days => greatest($1, 1))
       AND NOT EXISTS (SELECT FROM rrcm.run r WHERE r.run_id = e.run_id AND r.finished_at IS NULL)
    RETURNING e.event_id
  )
  SELECT count(*) FROM removed
$_$;

COMMENT ON FUNCTION rrcm.delete_old_events(days integer) IS 'Removes events older than so many days, at least one, those of unfinished runs left out; returns how many. The only way in which rrcm_coordinator removes events';

CREATE FUNCTION rrcm.end_training(run_id bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  UPDATE rrcm.run r
     SET state = CASE WHEN j.state = 'done' THEN 'done'::rrcm.run_state ELSE 'failed' END,
         error = CASE WHEN j.state = 'failed' THEN j.error ELSE r.error END,
         finished_at = now()
    FROM rrcm.job j
   WHERE r.run_id = $1
     AND j.run_id = r.run_id
     AND r.state = 'running'
     AND r.kind <> 'certify'
     AND j.state IN ('done', 'failed')
  RETURNING r.run_id
$_$;

COMMENT ON FUNCTION rrcm.end_training(run_id bigint) IS 'Ends a training run as its job has ended, which only the job''s holder can do; null when it has not. Anybody may ask';

CREATE FUNCTION rrcm.end_voted_leases(item_id bigint, other_than bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  WITH ended AS (
    DELETE FROM rrcm.lease l
     WHERE l.item_id = $1
       AND l.lease_id <> $2
       AND NOT EXISTS (
             SELECT
               FROM generate_series(l.lo, l.hi - 1) AS unit
              WHERE NOT EXISTS (
                      SELECT
                        FROM rrcm.chunk_count c
                       WHERE c.item_id = l.item_id
                         AND c.phase = (unit > 0)::int
                         AND c.chunk = greatest(unit - 1, 0)
                    )
           )
    RETURNING l.lease_id
  )
  SELECT count(*) FROM ended
$_$;

COMMENT ON FUNCTION rrcm.end_voted_leases(item_id bigint, other_than bigint) IS 'Ends the leases of an item, whoever holds them, whose every unit has votes, but for one; returns how many. Nothing is lost by it: anybody may ask';

CREATE FUNCTION rrcm.false_certificates(images integer, alpha double precision, rho double precision) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
  below  int := floor(images * alpha)::int - 1;
  enough int := images;
  mid    int;
BEGIN
  IF images <= 0 THEN RETURN 0; END IF;
  WHILE enough - below > 1 LOOP
    mid := (below + enough) / 2;
    IF mid >= 0 AND rrcm.binomial_tail(mid + 1, images, alpha) <= rho THEN enough := mid; ELSE below := mid; END IF;
  END LOOP;
  RETURN enough;
END
$$;

COMMENT ON FUNCTION rrcm.false_certificates(images integer, alpha double precision, rho double precision) IS 'The smallest c with P(Bin(images, alpha) > c) <= rho: at most so many of the certificates are false, with probability 1 - rho';

CREATE FUNCTION rrcm.post_audit(audit_id bigint, worker_id bigint, epoch integer, classes smallint[], votes integer[], compute_ms double precision) RETURNS TABLE(equal boolean, own boolean)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  -- $1 audit, ($2, $3) worker, $4 and $5 its votes, $6 the time that they took.
  WITH open AS MATERIALIZED (
    SELECT a.audit_id,
           a.run_id,
           a.item_id,
           a.phase,
           a.chunk,
           a.state,
           k.worker_id AS poster_id,
           k.classes,
           k.votes,
           k.classes = $4 AND k.votes = $5 AS equal
      FROM rrcm.audit a
      JOIN rrcm.chunk_count k USING (item_id, phase, chunk)
     WHERE a.audit_id = $1
       AND a.state IN ('due', 'disputed')
       -- Who was given it, and nobody else, settles it; a result that differs is worth having whenever it comes.
       AND (a.holder_id = $2 AND a.holder_epoch = $3 OR k.classes <> $4 OR k.votes <> $5)
       AND EXISTS (
             SELECT
               FROM rrcm.worker w
              WHERE w.worker_id = $2
                AND w.quarantined_at IS NULL
                AND rrcm.acts_for(w.login))
       FOR UPDATE OF a
  ), computed AS (
    INSERT INTO rrcm.audit_computation (audit_id, worker_id, epoch, classes, votes, compute_ms)
    SELECT open.audit_id, $2, $3, $4, $5, $6
      FROM open
    ON CONFLICT ON CONSTRAINT audit_computation_pkey DO NOTHING
    RETURNING audit_id
  ), noted AS (
    UPDATE rrcm.audit a
       SET state = CASE
             WHEN open.state = 'disputed' OR NOT open.equal THEN 'disputed'::rrcm.audit_state
             WHEN open.poster_id = $2 THEN 'self_audited'
             ELSE 'agreed'
           END,
           disputed_at = CASE WHEN open.state = 'disputed' OR NOT open.equal THEN coalesce(a.disputed_at, now()) END,
           decided_at = CASE WHEN open.state = 'due' AND open.equal THEN now() END,
           result = CASE
             WHEN open.state = 'due' AND open.equal AND open.poster_id = $2 THEN
               'computed again by the same worker in other batches: no other was there'
             WHEN open.state = 'due' AND open.equal THEN 'another worker found the same votes'
           END,
           holder_id = NULL,
           holder_epoch = NULL,
           deadline_at = NULL
      FROM open
     WHERE a.audit_id = open.audit_id
  ), differing AS (
    INSERT INTO rrcm.disagreement (item_id, phase, chunk, stored_classes, stored_votes, posted_classes, posted_votes,
                                   worker_id, audit_id)
    SELECT open.item_id, open.phase, open.chunk, open.classes, open.votes, $4, $5, $2, open.audit_id
      FROM open
      JOIN computed USING (audit_id)
     WHERE NOT open.equal
    RETURNING item_id
  ), held AS (
    UPDATE rrcm.item i
       SET state = 'held',
           error = format('phase %s chunk %s was computed twice with different votes; arbitration goes on', open.phase, open.chunk)
      FROM open, differing
     WHERE i.item_id = differing.item_id
       AND i.state IN ('open', 'claimed', 'certified')
  ), told AS (
    INSERT INTO rrcm.event (kind, run_id, worker_id, detail)
    SELECT 'disagreement', open.run_id, $2,
           format('item %s phase %s chunk %s: votes of an audit differ', open.item_id, open.phase, open.chunk)
      FROM open, differing
  )
  SELECT open.equal,
         open.poster_id = $2
    FROM open
$_$;

COMMENT ON FUNCTION rrcm.post_audit(audit_id bigint, worker_id bigint, epoch integer, classes smallint[], votes integer[], compute_ms double precision) IS 'Stores what a worker of this login found when it computed an audited chunk again; no row when the audit is not, or no more, its to settle';

CREATE FUNCTION rrcm.record_canary(checkpoint_digest text, numerics_id text, logits_digest text, worker_id bigint) RETURNS TABLE(recorded text, trusted boolean)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  INSERT INTO rrcm.canary AS c (checkpoint_digest, numerics_id, logits_digest, first_worker_id)
  SELECT $1, $2, $3, w.worker_id
    FROM rrcm.worker w
   WHERE w.worker_id = $4
     AND w.quarantined_at IS NULL
     AND rrcm.acts_for(w.login)
  ON CONFLICT ON CONSTRAINT canary_pkey DO UPDATE
     SET second_worker_id = CASE
           WHEN c.second_worker_id IS NULL
            AND c.first_worker_id <> excluded.first_worker_id
            AND c.logits_digest = excluded.logits_digest THEN excluded.first_worker_id
           ELSE c.second_worker_id
         END,
         trusted_at = CASE
           WHEN c.second_worker_id IS NULL
            AND c.first_worker_id <> excluded.first_worker_id
            AND c.logits_digest = excluded.logits_digest THEN now()
           ELSE c.trusted_at
         END
  RETURNING c.logits_digest, c.trusted_at IS NOT NULL
$_$;

COMMENT ON FUNCTION rrcm.record_canary(checkpoint_digest text, numerics_id text, logits_digest text, worker_id bigint) IS 'What a worker of this login, not in quarantine, found for a canary: the first is recorded, a second one with the same digest makes it trusted. Returns what is recorded';

CREATE FUNCTION rrcm.refuse_foreign_worker() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  -- The lock makes a quarantine that is under way be waited for, and then seen.
  PERFORM
     FROM rrcm.worker w
    WHERE w.worker_id = new.worker_id
      AND w.login = session_user
      AND w.quarantined_at IS NULL
      FOR KEY SHARE;
  IF FOUND OR pg_has_role(current_user, 'rrcm_coordinator', 'USAGE') OR pg_has_role(current_user, 'rrcm_owner', 'USAGE') THEN
    RETURN new;
  END IF;
  RAISE EXCEPTION 'login % may not add a row of % in the name of worker %', session_user, TG_TABLE_NAME, new.worker_id
    USING ERRCODE = 'insufficient_privilege',
          HINT = 'it is another login''s worker, or in quarantine: rrcm worker list';
END
$$;

COMMENT ON FUNCTION rrcm.refuse_foreign_worker() IS 'Refuses rows in the name of another login''s worker or of one in quarantine, where rows are only ever added. "rrcm roles apply" makes its triggers: they cost less than row-level security with every vote';

CREATE FUNCTION rrcm.refuse_update() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: what was stored first stays', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

COMMENT ON FUNCTION rrcm.refuse_update() IS 'Trigger: rows are never changed';

CREATE FUNCTION rrcm.refuse_worker() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF pg_has_role(current_user, 'rrcm_coordinator', 'USAGE') OR pg_has_role(current_user, 'rrcm_owner', 'USAGE') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a worker may not change a row of % in this way', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

COMMENT ON FUNCTION rrcm.refuse_worker() IS 'Refuses changes that only coordinator and owner may make. "rrcm roles apply" makes its triggers, whose conditions name the changes';

CREATE FUNCTION rrcm.return_leases(lease_ids bigint[]) RETURNS TABLE(leases bigint, gaps bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH ended AS MATERIALIZED (
    SELECT l.lease_id,
           l.item_id,
           i.run_id,
           i.state,
           l.lo,
           l.hi,
           l.duplicate
      FROM rrcm.lease l
      JOIN rrcm.item i USING (item_id)
      JOIN rrcm.worker w USING (worker_id)
     WHERE l.lease_id = ANY ($1)
       AND rrcm.acts_for(w.login)
       FOR UPDATE OF l SKIP LOCKED
  ), removed AS (
    DELETE FROM rrcm.lease l
     USING ended
     WHERE l.lease_id = ended.lease_id
  ), first_duplicate AS (
    SELECT DISTINCT ON (e.lease_id)
           d.lease_id
      FROM ended e
      JOIN rrcm.lease d USING (item_id)
     WHERE d.duplicate
       AND NOT e.duplicate
       AND d.lo < e.hi
       AND d.hi > e.lo
       AND d.lease_id <> ALL ($1)
     ORDER BY e.lease_id, d.lease_id
  ), heir AS (
    UPDATE rrcm.lease d
       SET duplicate = false
      FROM first_duplicate f
     WHERE d.lease_id = f.lease_id
       AND d.duplicate
    RETURNING d.item_id, d.lo, d.hi
  ), missing AS (
    SELECT e.run_id,
           e.item_id,
           unit,
           unit - row_number() OVER (PARTITION BY e.lease_id ORDER BY unit) AS island,
           e.lease_id
      FROM ended e
     CROSS JOIN LATERAL generate_series(e.lo, e.hi - 1) AS unit
     WHERE NOT e.duplicate
       AND e.state IN ('open', 'claimed')
       AND NOT EXISTS (SELECT FROM heir h WHERE h.item_id = e.item_id AND unit >= h.lo AND unit < h.hi)
       AND NOT EXISTS (
             SELECT
               FROM rrcm.chunk_count c
              WHERE c.item_id = e.item_id
                AND c.phase = (unit > 0)::int
                AND c.chunk = greatest(unit - 1, 0)
           )
  ), gaps AS (
    INSERT INTO rrcm.gap (run_id, item_id, lo, hi)
    SELECT run_id, item_id, min(unit), max(unit) + 1
      FROM missing
     GROUP BY run_id, item_id, lease_id, island
    RETURNING gap_id
  )
  SELECT (SELECT count(*) FROM ended) AS leases,
         (SELECT count(*) FROM gaps) AS gaps;
END
$_$;

COMMENT ON FUNCTION rrcm.return_leases(lease_ids bigint[]) IS 'Ends leases of this login''s workers and puts their units without votes back as gaps; another login''s duplicate takes its original''s place';

CREATE FUNCTION rrcm.sweep_query(sweep text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  found   bigint;
  metric  text;
  columns text;
BEGIN
  SELECT s.sweep_id, s.metric
    INTO found, metric
    FROM rrcm.sweep s
   WHERE s.sweep_id::text = sweep_query.sweep
      OR s.name = sweep_query.sweep;
  IF found IS NULL THEN
    RAISE EXCEPTION 'there is no sweep "%"', sweep_query.sweep USING HINT = 'SELECT sweep_id, name FROM rrcm.sweep lists them';
  END IF;
  -- A column per parameter, called by the last word of its path where that is enough to tell it apart.
  WITH path AS (
    SELECT key,
           bool_and(jsonb_typeof(value) = 'number') AS is_number,
           regexp_replace(key, '^.*\.', '') AS word
      FROM rrcm.trial t
     CROSS JOIN LATERAL jsonb_each(t.parameters)
     WHERE t.sweep_id = found
     GROUP BY key
  )
  SELECT string_agg(
           format(
             E'       (parameters ->> %L)%s AS %I,\n', key, CASE WHEN is_number THEN '::double precision' ELSE '' END,
             CASE
               WHEN namesakes = 1 AND word NOT IN ('rank', 'trial', 'state', 'acr', 'loss', 'checkpoint_digest') THEN word
               ELSE key
             END
           ), '' ORDER BY key)
    INTO columns
    FROM (SELECT key, is_number, word, count(*) OVER (PARTITION BY word) AS namesakes FROM path) AS named;
  RETURN format(
    E'SELECT rank,\n       value AS %I,\n       trial,\n%s       state,\n%s%s'
    '       checkpoint_digest\n  FROM rrcm.sweep_trial\n WHERE sweep_id = %s\n ORDER BY rank, trial',
    metric, columns, CASE WHEN metric <> 'acr' THEN E'       acr,\n' END,
    CASE WHEN metric <> 'loss' THEN E'       loss,\n' END, found);
END
$$;

COMMENT ON FUNCTION rrcm.sweep_query(sweep text) IS 'Text of a query that ranks a sweep''s trials with a column per parameter. In psql: SELECT rrcm.sweep_query(''NAME'') \gexec';

CREATE FUNCTION rrcm.total(numbers integer[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (SELECT COALESCE(sum(number.number), (0)::bigint) AS "coalesce" FROM unnest(total.numbers) number(number));

COMMENT ON FUNCTION rrcm.total(numbers integer[]) IS 'Sum of an integer array; used by constraints on votes';

CREATE VIEW rrcm.accuracy_at_radius AS
 WITH level AS (
         SELECT i.run_id,
            i.sigma,
            count(*) AS items,
            count(c.item_id) AS finished,
            ((ceil(((20)::double precision * COALESCE(max(c.radius), (0)::double precision))))::integer + 1) AS last_step
           FROM (rrcm.item i
             LEFT JOIN rrcm.certificate c ON (((c.item_id = i.item_id) AND (i.state = 'certified'::rrcm.item_state))))
          GROUP BY i.run_id, i.sigma
        )
 SELECT l.run_id,
    l.sigma,
    (((step.step)::numeric / 20.0))::numeric(8,2) AS r,
    l.items,
    l.finished,
    hits.certified,
    ((hits.certified)::double precision / (NULLIF(l.finished, 0))::double precision) AS accuracy,
    ((hits.certified)::double precision / (l.items)::double precision) AS accuracy_low,
    ((((hits.certified + l.items) - l.finished))::double precision / (l.items)::double precision) AS accuracy_high
   FROM ((level l
     CROSS JOIN LATERAL generate_series(0, l.last_step) step(step))
     CROSS JOIN LATERAL ( SELECT count(*) AS certified
           FROM (rrcm.item i
             JOIN rrcm.certificate c USING (item_id))
          WHERE ((i.run_id = l.run_id) AND (i.sigma = l.sigma) AND (i.state = 'certified'::rrcm.item_state) AND c.correct AND (c.radius >= (((step.step)::numeric / 20.0))::double precision))) hits);

COMMENT ON VIEW rrcm.accuracy_at_radius IS 'Certified accuracy per run and sigma at r = 0, 0.05, 0.10, …; abstentions and mistakes count in the denominator';

COMMENT ON COLUMN rrcm.accuracy_at_radius.run_id IS 'Run';

COMMENT ON COLUMN rrcm.accuracy_at_radius.sigma IS 'Noise level';

COMMENT ON COLUMN rrcm.accuracy_at_radius.r IS 'L2 radius';

COMMENT ON COLUMN rrcm.accuracy_at_radius.items IS 'Images of the run at this sigma';

COMMENT ON COLUMN rrcm.accuracy_at_radius.finished IS 'Those with a certificate or an abstention';

COMMENT ON COLUMN rrcm.accuracy_at_radius.certified IS 'Those correct and certified at r or more';

COMMENT ON COLUMN rrcm.accuracy_at_radius.accuracy IS 'Share of the finished; biased while the run is unfinished';

COMMENT ON COLUMN rrcm.accuracy_at_radius.accuracy_low IS 'Share of all, unfinished counted wrong';

COMMENT ON COLUMN rrcm.accuracy_at_radius.accuracy_high IS 'Share of all, unfinished counted right';

ALTER TABLE rrcm.audit ALTER COLUMN audit_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.audit_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rrcm.audit_computation (
    audit_id bigint NOT NULL,
    worker_id bigint NOT NULL,
    epoch integer NOT NULL,
    classes smallint[] NOT NULL,
    votes integer[] NOT NULL,
    compute_ms real NOT NULL,
    posted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_computation_classes_match_votes CHECK ((cardinality(classes) = cardinality(votes)))
);

COMMENT ON TABLE rrcm.audit_computation IS 'What the workers that computed an audited chunk again found; the votes that count are in chunk_count';

COMMENT ON COLUMN rrcm.audit_computation.audit_id IS 'Audit';

COMMENT ON COLUMN rrcm.audit_computation.worker_id IS 'Worker that computed it again';

COMMENT ON COLUMN rrcm.audit_computation.epoch IS 'Epoch of that worker';

COMMENT ON COLUMN rrcm.audit_computation.classes IS 'Classes that got votes, ascending';

COMMENT ON COLUMN rrcm.audit_computation.votes IS 'Votes of each of those classes';

COMMENT ON COLUMN rrcm.audit_computation.compute_ms IS 'Time the computation took, in milliseconds';

COMMENT ON COLUMN rrcm.audit_computation.posted_at IS 'When it was posted';

CREATE TABLE rrcm.audit_salt (
    run_id bigint NOT NULL,
    salt bytea DEFAULT (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) NOT NULL,
    CONSTRAINT audit_salt_length CHECK ((length(salt) >= 32))
);

COMMENT ON TABLE rrcm.audit_salt IS 'Secret of each run that decides which chunks are audited; workers must not be able to read it';

COMMENT ON COLUMN rrcm.audit_salt.run_id IS 'Certification run';

COMMENT ON COLUMN rrcm.audit_salt.salt IS 'Random bytes, drawn when the run was submitted';

CREATE TABLE rrcm.canary (
    checkpoint_digest text NOT NULL,
    numerics_id text NOT NULL,
    logits_digest text NOT NULL,
    first_worker_id bigint NOT NULL,
    second_worker_id bigint,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    trusted_at timestamp with time zone,
    CONSTRAINT canary_trusted_by_two CHECK (((trusted_at IS NULL) = (second_worker_id IS NULL))),
    CONSTRAINT canary_two_workers_differ CHECK ((second_worker_id IS DISTINCT FROM first_worker_id))
);

COMMENT ON TABLE rrcm.canary IS 'Digest of a fixed batch''s logits per checkpoint and numerics id; a worker that differs refuses work';

COMMENT ON COLUMN rrcm.canary.checkpoint_digest IS 'Checkpoint';

COMMENT ON COLUMN rrcm.canary.numerics_id IS 'Numerics id';

COMMENT ON COLUMN rrcm.canary.logits_digest IS 'SHA-256 of the canary batch''s logits, as bits';

COMMENT ON COLUMN rrcm.canary.first_worker_id IS 'Worker that recorded it';

COMMENT ON COLUMN rrcm.canary.second_worker_id IS 'Second worker with the same digest';

COMMENT ON COLUMN rrcm.canary.recorded_at IS 'When it was recorded';

COMMENT ON COLUMN rrcm.canary.trusted_at IS 'When a second worker agreed';

CREATE TABLE rrcm.canary_check (
    audit_id bigint NOT NULL,
    worker_id bigint NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    logits_digest text,
    answered_at timestamp with time zone,
    CONSTRAINT canary_check_answered_with_digest CHECK (((answered_at IS NULL) = (logits_digest IS NULL)))
);

COMMENT ON TABLE rrcm.canary_check IS 'Workers that are asked to compute the canary batch again with the weights they hold, because no third worker can settle a dispute';

COMMENT ON COLUMN rrcm.canary_check.audit_id IS 'Disputed audit';

COMMENT ON COLUMN rrcm.canary_check.worker_id IS 'Worker that is asked';

COMMENT ON COLUMN rrcm.canary_check.asked_at IS 'When';

COMMENT ON COLUMN rrcm.canary_check.logits_digest IS 'What it answered: SHA-256 of the logits, as bits';

COMMENT ON COLUMN rrcm.canary_check.answered_at IS 'When it answered';

CREATE VIEW rrcm.certificate_detail AS
 SELECT c.item_id,
    c.stopped_at_unit,
    c.targets_reached,
    c.runner_up_votes,
    c.p_upper,
    c.p_value
   FROM (rrcm.certificate c
     JOIN rrcm.item i USING (item_id))
  WHERE (i.state = 'certified'::rrcm.item_state);

COMMENT ON VIEW rrcm.certificate_detail IS 'What certificates of some modes say besides certificate_result, by item';

COMMENT ON COLUMN rrcm.certificate_detail.item_id IS 'Item';

COMMENT ON COLUMN rrcm.certificate_detail.stopped_at_unit IS 'Units up to the deciding look; null where every unit counts';

COMMENT ON COLUMN rrcm.certificate_detail.targets_reached IS 'Targets that the radius reaches; null without targets';

COMMENT ON COLUMN rrcm.certificate_detail.runner_up_votes IS 'Votes for the most frequent other class, where they matter';

COMMENT ON COLUMN rrcm.certificate_detail.p_upper IS 'Upper bound of the runner-up''s probability; mode runner-up';

COMMENT ON COLUMN rrcm.certificate_detail.p_value IS 'p-value of the two leading classes; mode predict';

CREATE VIEW rrcm.certificate_pair AS
 SELECT a.run_id AS a_run_id,
    b.run_id AS b_run_id,
    ra.name AS a_name,
    rb.name AS b_name,
    a.sigma,
    a.image_index,
    a.label,
    ca.predicted AS a_predicted,
    cb.predicted AS b_predicted,
    ca.correct AS a_correct,
    cb.correct AS b_correct,
    ca.radius AS a_radius,
    cb.radius AS b_radius,
    (COALESCE(cb.radius, (0)::double precision) - COALESCE(ca.radius, (0)::double precision)) AS radius_gain
   FROM (((((rrcm.item a
     JOIN rrcm.run ra ON ((ra.run_id = a.run_id)))
     JOIN rrcm.certificate ca ON ((ca.item_id = a.item_id)))
     JOIN rrcm.item b ON (((b.image_index = a.image_index) AND (b.sigma = a.sigma) AND (b.run_id <> a.run_id))))
     JOIN rrcm.run rb ON (((rb.run_id = b.run_id) AND (rb.dataset_digest = ra.dataset_digest))))
     JOIN rrcm.certificate cb ON ((cb.item_id = b.item_id)))
  WHERE ((a.state = 'certified'::rrcm.item_state) AND (b.state = 'certified'::rrcm.item_state));

COMMENT ON VIEW rrcm.certificate_pair IS 'Two runs of this fleet on the same image at the same sigma, both finished there; name both runs in WHERE';

COMMENT ON COLUMN rrcm.certificate_pair.a_run_id IS 'One run';

COMMENT ON COLUMN rrcm.certificate_pair.b_run_id IS 'The other run, on the same image set';

COMMENT ON COLUMN rrcm.certificate_pair.a_name IS 'Name of run a';

COMMENT ON COLUMN rrcm.certificate_pair.b_name IS 'Name of run b';

COMMENT ON COLUMN rrcm.certificate_pair.sigma IS 'Noise level of both';

COMMENT ON COLUMN rrcm.certificate_pair.image_index IS 'Image';

COMMENT ON COLUMN rrcm.certificate_pair.label IS 'True class';

COMMENT ON COLUMN rrcm.certificate_pair.a_predicted IS 'Class certified by a; null when abstained';

COMMENT ON COLUMN rrcm.certificate_pair.b_predicted IS 'Class certified by b; null when abstained';

COMMENT ON COLUMN rrcm.certificate_pair.a_correct IS 'Whether a certified the label';

COMMENT ON COLUMN rrcm.certificate_pair.b_correct IS 'Whether b certified the label';

COMMENT ON COLUMN rrcm.certificate_pair.a_radius IS 'Radius certified by a; null when abstained';

COMMENT ON COLUMN rrcm.certificate_pair.b_radius IS 'Radius certified by b; null when abstained';

COMMENT ON COLUMN rrcm.certificate_pair.radius_gain IS 'Radius of b less that of a, abstentions counting 0';

CREATE TABLE rrcm.certificate_superseded (
    item_id bigint NOT NULL,
    superseded_at timestamp with time zone DEFAULT now() NOT NULL,
    reason text NOT NULL,
    certificate jsonb NOT NULL
);

COMMENT ON TABLE rrcm.certificate_superseded IS 'Certificates that rested on votes which were voided; the item was opened again and gets a new one';

COMMENT ON COLUMN rrcm.certificate_superseded.item_id IS 'Item';

COMMENT ON COLUMN rrcm.certificate_superseded.superseded_at IS 'When it was taken back';

COMMENT ON COLUMN rrcm.certificate_superseded.reason IS 'Why';

COMMENT ON COLUMN rrcm.certificate_superseded.certificate IS 'The row of the table certificate as it was, numbers at full precision';

CREATE TABLE rrcm.certification (
    run_id bigint NOT NULL,
    mode text NOT NULL,
    n0 integer NOT NULL,
    n integer NOT NULL,
    alpha double precision NOT NULL,
    sampler text NOT NULL,
    chunk_samples integer NOT NULL,
    audit_share double precision DEFAULT 0 NOT NULL,
    targets numeric[] DEFAULT '{}'::numeric[] NOT NULL,
    epsilon double precision,
    looks integer[] DEFAULT '{}'::integer[] NOT NULL,
    CONSTRAINT certification_alpha_is_probability CHECK (((alpha > (0)::double precision) AND (alpha <= (0.5)::double precision))),
    CONSTRAINT certification_audit_share_is_share CHECK (((audit_share >= (0)::double precision) AND (audit_share <= (1)::double precision))),
    CONSTRAINT certification_draws_positive CHECK (((n0 > 0) AND (n > 0) AND (chunk_samples > 0))),
    CONSTRAINT certification_epsilon_is_share CHECK ((((epsilon IS NOT NULL) = (mode = 'epsilon'::text)) AND COALESCE(((epsilon > (0)::double precision) AND (epsilon < (1)::double precision)), true))),
    CONSTRAINT certification_looks_where_it_stops_early CHECK (((cardinality(looks) > 0) = (mode = ANY (ARRAY['curtailed'::text, 'sequential'::text, 'epsilon'::text])))),
    CONSTRAINT certification_mode_known CHECK ((mode = ANY (ARRAY['fixed'::text, 'curtailed'::text, 'runner-up'::text, 'sequential'::text, 'epsilon'::text, 'predict'::text]))),
    CONSTRAINT certification_sampler_known CHECK ((sampler = ANY (ARRAY['grid'::text, 'gaussian'::text]))),
    CONSTRAINT certification_targets_where_decided CHECK (((cardinality(targets) > 0) = (mode = ANY (ARRAY['curtailed'::text, 'sequential'::text]))))
);

COMMENT ON TABLE rrcm.certification IS 'The protocol of a certification run, fixed at submission';

COMMENT ON COLUMN rrcm.certification.run_id IS 'Run';

COMMENT ON COLUMN rrcm.certification.mode IS 'How the bound is formed';

COMMENT ON COLUMN rrcm.certification.n0 IS 'Selection draws per item';

COMMENT ON COLUMN rrcm.certification.n IS 'Estimation draws per item';

COMMENT ON COLUMN rrcm.certification.alpha IS 'Failure probability of one certificate';

COMMENT ON COLUMN rrcm.certification.sampler IS 'How the noise is drawn';

COMMENT ON COLUMN rrcm.certification.chunk_samples IS 'Samples per estimation chunk; the last one of an item may be shorter';

COMMENT ON COLUMN rrcm.certification.audit_share IS 'Share of chunks that another worker computes again, besides one of every worker''s first image; 0 for no audits at all';

COMMENT ON COLUMN rrcm.certification.targets IS 'Radii that the run decides, ascending; empty unless its mode has targets';

COMMENT ON COLUMN rrcm.certification.epsilon IS 'Share of the radius that mode epsilon gives up; null otherwise';

COMMENT ON COLUMN rrcm.certification.looks IS 'Prefixes of the estimation chunks, in chunks, at which an item may be decided; empty unless the mode stops early';

CREATE TABLE rrcm.certification_sigma (
    run_id bigint NOT NULL,
    sigma numeric NOT NULL,
    grid_m integer NOT NULL,
    slack double precision NOT NULL,
    table_digest text,
    CONSTRAINT certification_sigma_grid_has_table CHECK (((grid_m > 0) = (table_digest IS NOT NULL))),
    CONSTRAINT certification_sigma_positive CHECK ((sigma > (0)::numeric)),
    CONSTRAINT certification_sigma_slack_not_negative CHECK ((slack >= (0)::double precision))
);

COMMENT ON TABLE rrcm.certification_sigma IS 'The noise levels of a certification run';

COMMENT ON COLUMN rrcm.certification_sigma.run_id IS 'Run';

COMMENT ON COLUMN rrcm.certification_sigma.sigma IS 'Standard deviation in the [0, 1] pixel range';

COMMENT ON COLUMN rrcm.certification_sigma.grid_m IS 'Grid points per 1/255 of pixel value; 0 for the gaussian sampler';

COMMENT ON COLUMN rrcm.certification_sigma.slack IS 'Total variation between sampled and exact noise of one image; subtracted from every lower bound';

COMMENT ON COLUMN rrcm.certification_sigma.table_digest IS 'SHA-256 of the grid sampler''s thresholds';

CREATE VIEW rrcm.certification_level AS
 SELECT certification_sigma.run_id,
    certification_sigma.sigma,
    certification_sigma.grid_m,
    certification_sigma.slack,
    certification_sigma.table_digest
   FROM rrcm.certification_sigma;

COMMENT ON VIEW rrcm.certification_level IS 'The noise levels of each certification';

COMMENT ON COLUMN rrcm.certification_level.run_id IS 'Run';

COMMENT ON COLUMN rrcm.certification_level.sigma IS 'Standard deviation in the [0, 1] pixel range';

COMMENT ON COLUMN rrcm.certification_level.grid_m IS 'Grid points per 1/255 of pixel value; 0 for the gaussian sampler';

COMMENT ON COLUMN rrcm.certification_level.slack IS 'Total variation between sampled and exact noise of one image; subtracted from every lower bound';

COMMENT ON COLUMN rrcm.certification_level.table_digest IS 'SHA-256 of the grid sampler''s thresholds';

CREATE VIEW rrcm.certification_protocol AS
 SELECT certification.run_id,
    certification.mode,
    certification.n0,
    certification.n,
    certification.alpha,
    certification.sampler,
    certification.chunk_samples,
    certification.audit_share,
    certification.targets,
    certification.epsilon,
    certification.looks
   FROM rrcm.certification;

COMMENT ON VIEW rrcm.certification_protocol IS 'The protocol of each certification, fixed when it is submitted';

COMMENT ON COLUMN rrcm.certification_protocol.run_id IS 'Run';

COMMENT ON COLUMN rrcm.certification_protocol.mode IS 'How the bound is formed';

COMMENT ON COLUMN rrcm.certification_protocol.n0 IS 'Selection draws per item';

COMMENT ON COLUMN rrcm.certification_protocol.n IS 'Estimation draws per item';

COMMENT ON COLUMN rrcm.certification_protocol.alpha IS 'Failure probability of one certificate';

COMMENT ON COLUMN rrcm.certification_protocol.sampler IS 'How the noise is drawn';

COMMENT ON COLUMN rrcm.certification_protocol.chunk_samples IS 'Samples per estimation chunk; the last one of an item may be shorter';

COMMENT ON COLUMN rrcm.certification_protocol.audit_share IS 'Share of chunks that another worker computes again; no certificate depends on it';

COMMENT ON COLUMN rrcm.certification_protocol.targets IS 'Radii that the run decides, ascending; empty unless its mode has targets';

COMMENT ON COLUMN rrcm.certification_protocol.epsilon IS 'Share of the radius that mode epsilon gives up; null otherwise';

COMMENT ON COLUMN rrcm.certification_protocol.looks IS 'Prefixes of the estimation chunks, in chunks, at which an item may be decided; empty unless the mode stops early';

CREATE TABLE rrcm.checkpoint (
    checkpoint_digest text NOT NULL,
    kind text NOT NULL,
    configuration jsonb NOT NULL,
    run_id bigint,
    source text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT checkpoint_digest_is_sha256 CHECK ((checkpoint_digest ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT checkpoint_kind_known CHECK ((kind = ANY (ARRAY['pretrained'::text, 'classifier'::text])))
);

COMMENT ON TABLE rrcm.checkpoint IS 'Weights with their configuration; the files are in the artifact store under the digest';

COMMENT ON COLUMN rrcm.checkpoint.checkpoint_digest IS 'Content hash of configuration and weights';

COMMENT ON COLUMN rrcm.checkpoint.kind IS 'pretrained (encoder and projector) or classifier (encoder and head)';

COMMENT ON COLUMN rrcm.checkpoint.configuration IS 'Shape of the network';

COMMENT ON COLUMN rrcm.checkpoint.run_id IS 'Run that made it first; null when imported';

COMMENT ON COLUMN rrcm.checkpoint.source IS 'File it was imported from, or the run''s name';

COMMENT ON COLUMN rrcm.checkpoint.created_at IS 'When it was recorded';

CREATE TABLE rrcm.checkpoint_name (
    name text NOT NULL,
    checkpoint_digest text NOT NULL,
    named_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE rrcm.checkpoint_name IS 'What people call checkpoints: names given at import, and of the runs that made them';

COMMENT ON COLUMN rrcm.checkpoint_name.name IS 'Name; the checkpoint that got it last is meant';

COMMENT ON COLUMN rrcm.checkpoint_name.checkpoint_digest IS 'Checkpoint; it may have several names';

COMMENT ON COLUMN rrcm.checkpoint_name.named_at IS 'When it last got this name';

CREATE VIEW rrcm.checkpoint_detail AS
 SELECT c.checkpoint_digest,
    ( SELECT n.name
           FROM rrcm.checkpoint_name n
          WHERE (n.checkpoint_digest = c.checkpoint_digest)
          ORDER BY n.named_at DESC, n.name
         LIMIT 1) AS name,
    c.kind,
    c.configuration,
    c.run_id,
    c.source,
    c.created_at
   FROM rrcm.checkpoint c;

COMMENT ON VIEW rrcm.checkpoint_detail IS 'Checkpoints by digest';

COMMENT ON COLUMN rrcm.checkpoint_detail.checkpoint_digest IS 'Content hash of configuration and weights';

COMMENT ON COLUMN rrcm.checkpoint_detail.name IS 'The name that it got last';

COMMENT ON COLUMN rrcm.checkpoint_detail.kind IS 'pretrained (encoder and projector) or classifier (encoder and head)';

COMMENT ON COLUMN rrcm.checkpoint_detail.configuration IS 'Shape of the network';

COMMENT ON COLUMN rrcm.checkpoint_detail.run_id IS 'Run that made it first; null when imported';

COMMENT ON COLUMN rrcm.checkpoint_detail.source IS 'File it was imported from, or the run''s name';

COMMENT ON COLUMN rrcm.checkpoint_detail.created_at IS 'When it was recorded';

CREATE TABLE rrcm.chunk_count (
    item_id bigint NOT NULL,
    phase smallint NOT NULL,
    chunk integer NOT NULL,
    samples integer NOT NULL,
    classes smallint[] NOT NULL,
    votes integer[] NOT NULL,
    worker_id bigint NOT NULL,
    compute_ms real NOT NULL,
    posted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT chunk_count_chunk_not_negative CHECK ((chunk >= 0)),
    CONSTRAINT chunk_count_classes_match_votes CHECK ((cardinality(classes) = cardinality(votes))),
    CONSTRAINT chunk_count_every_sample_votes_once CHECK (((samples > 0) AND (rrcm.total(votes) = samples))),
    CONSTRAINT chunk_count_phase_known CHECK ((phase = ANY (ARRAY[0, 1]))),
    CONSTRAINT chunk_count_votes_positive CHECK ((0 < ALL (votes)))
);

COMMENT ON TABLE rrcm.chunk_count IS 'Votes of one chunk. Append-only: a repeated post changes nothing';

COMMENT ON COLUMN rrcm.chunk_count.item_id IS 'Item';

COMMENT ON COLUMN rrcm.chunk_count.phase IS '0 selection (n0 samples pick the top class), 1 estimation (n samples bound its probability)';

COMMENT ON COLUMN rrcm.chunk_count.chunk IS 'Chunk within the phase: estimation chunk k holds samples k·chunk_samples up to (k+1)·chunk_samples';

COMMENT ON COLUMN rrcm.chunk_count.samples IS 'Samples in the chunk';

COMMENT ON COLUMN rrcm.chunk_count.classes IS 'Classes that got votes, ascending';

COMMENT ON COLUMN rrcm.chunk_count.votes IS 'Votes of each of those classes';

COMMENT ON COLUMN rrcm.chunk_count.worker_id IS 'Worker that posted it first';

COMMENT ON COLUMN rrcm.chunk_count.compute_ms IS 'Time the computation took, in milliseconds';

COMMENT ON COLUMN rrcm.chunk_count.posted_at IS 'When it was posted';

CREATE TABLE rrcm.chunk_count_void (
    item_id bigint NOT NULL,
    phase smallint NOT NULL,
    chunk integer NOT NULL,
    samples integer NOT NULL,
    classes smallint[] NOT NULL,
    votes integer[] NOT NULL,
    worker_id bigint NOT NULL,
    compute_ms real NOT NULL,
    posted_at timestamp with time zone NOT NULL,
    voided_at timestamp with time zone DEFAULT now() NOT NULL,
    reason text NOT NULL
);

COMMENT ON TABLE rrcm.chunk_count_void IS 'Votes that were taken out of chunk_count for a recorded fault; kept for good, counted nowhere. A chunk may be here several times';

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

CREATE TABLE rrcm.dataset (
    dataset_digest text NOT NULL,
    name text NOT NULL,
    channels integer NOT NULL,
    height integer NOT NULL,
    width integer NOT NULL,
    classes text[] NOT NULL,
    image_count integer NOT NULL,
    source text NOT NULL,
    imported_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dataset_digest_is_sha256 CHECK ((dataset_digest ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT dataset_shape_positive CHECK (((channels > 0) AND (height > 0) AND (width > 0) AND (image_count > 0)))
);

COMMENT ON TABLE rrcm.dataset IS 'Imported image sets; the pixels are in the artifact store under the digest';

COMMENT ON COLUMN rrcm.dataset.dataset_digest IS 'SHA-256 of the packed image set';

COMMENT ON COLUMN rrcm.dataset.name IS 'What run files call it';

COMMENT ON COLUMN rrcm.dataset.channels IS 'Image channels C';

COMMENT ON COLUMN rrcm.dataset.height IS 'Image height H in pixels';

COMMENT ON COLUMN rrcm.dataset.width IS 'Image width W in pixels';

COMMENT ON COLUMN rrcm.dataset.classes IS 'Class names in label order';

COMMENT ON COLUMN rrcm.dataset.image_count IS 'Number of images over all splits';

COMMENT ON COLUMN rrcm.dataset.source IS 'Where the images were read from';

COMMENT ON COLUMN rrcm.dataset.imported_at IS 'When it was imported';

CREATE TABLE rrcm.disagreement (
    disagreement_id bigint NOT NULL,
    item_id bigint NOT NULL,
    phase smallint NOT NULL,
    chunk integer NOT NULL,
    stored_classes smallint[] NOT NULL,
    stored_votes integer[] NOT NULL,
    posted_classes smallint[] NOT NULL,
    posted_votes integer[] NOT NULL,
    worker_id bigint NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    audit_id bigint
);

COMMENT ON TABLE rrcm.disagreement IS 'Two computations of one chunk that differ: an alarm, since votes are a pure function';

COMMENT ON COLUMN rrcm.disagreement.disagreement_id IS 'Number of the record';

COMMENT ON COLUMN rrcm.disagreement.item_id IS 'Item';

COMMENT ON COLUMN rrcm.disagreement.phase IS 'Phase of the chunk';

COMMENT ON COLUMN rrcm.disagreement.chunk IS 'Chunk';

COMMENT ON COLUMN rrcm.disagreement.stored_classes IS 'Classes stored first';

COMMENT ON COLUMN rrcm.disagreement.stored_votes IS 'Votes stored first; they stay';

COMMENT ON COLUMN rrcm.disagreement.posted_classes IS 'Classes posted later';

COMMENT ON COLUMN rrcm.disagreement.posted_votes IS 'Votes posted later';

COMMENT ON COLUMN rrcm.disagreement.worker_id IS 'Worker that posted later';

COMMENT ON COLUMN rrcm.disagreement.seen_at IS 'When';

COMMENT ON COLUMN rrcm.disagreement.audit_id IS 'Audit that settles it; null until the coordinator has seen it';

ALTER TABLE rrcm.disagreement ALTER COLUMN disagreement_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.disagreement_disagreement_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rrcm.event (
    event_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    run_id bigint,
    worker_id bigint,
    detail text NOT NULL
);

COMMENT ON TABLE rrcm.event IS 'What an operator would want to know afterwards: rescues, refusals, disagreements';

COMMENT ON COLUMN rrcm.event.event_id IS 'Number of the event';

COMMENT ON COLUMN rrcm.event.at IS 'When';

COMMENT ON COLUMN rrcm.event.kind IS 'What happened, for example worker_lost, run_refused, disagreement; docs/operations.md lists them';

COMMENT ON COLUMN rrcm.event.run_id IS 'Run concerned';

COMMENT ON COLUMN rrcm.event.worker_id IS 'Worker concerned';

COMMENT ON COLUMN rrcm.event.detail IS 'One sentence';

ALTER TABLE rrcm.event ALTER COLUMN event_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.event_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rrcm.failed_attempt (
    attempt_id bigint NOT NULL,
    run_id bigint NOT NULL,
    item_id bigint,
    unit integer,
    worker_id bigint NOT NULL,
    epoch integer NOT NULL,
    outcome rrcm.attempt_outcome NOT NULL,
    alone boolean DEFAULT true NOT NULL,
    error text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    retried_at timestamp with time zone,
    CONSTRAINT failed_attempt_of_item_has_unit CHECK (((item_id IS NULL) = (unit IS NULL)))
);

COMMENT ON TABLE rrcm.failed_attempt IS 'Work that did not come to its end: one row per failure; what goes well leaves none';

COMMENT ON COLUMN rrcm.failed_attempt.attempt_id IS 'Number of the record';

COMMENT ON COLUMN rrcm.failed_attempt.run_id IS 'Run';

COMMENT ON COLUMN rrcm.failed_attempt.item_id IS 'Item; null for a training';

COMMENT ON COLUMN rrcm.failed_attempt.unit IS 'First unit of the lease without votes: where the worker was, to within a second';

COMMENT ON COLUMN rrcm.failed_attempt.worker_id IS 'Worker that held it';

COMMENT ON COLUMN rrcm.failed_attempt.epoch IS 'Its epoch then';

COMMENT ON COLUMN rrcm.failed_attempt.outcome IS 'How it ended';

COMMENT ON COLUMN rrcm.failed_attempt.alone IS 'The worker held nothing else: this item was surely the one in hand';

COMMENT ON COLUMN rrcm.failed_attempt.error IS 'What happened, in a sentence';

COMMENT ON COLUMN rrcm.failed_attempt.at IS 'When it was noticed';

COMMENT ON COLUMN rrcm.failed_attempt.retried_at IS 'When a person had it tried again: it counts no more towards setting the item aside';

ALTER TABLE rrcm.failed_attempt ALTER COLUMN attempt_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.failed_attempt_attempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rrcm.gap (
    gap_id bigint NOT NULL,
    run_id bigint NOT NULL,
    item_id bigint NOT NULL,
    lo integer NOT NULL,
    hi integer NOT NULL,
    suspect boolean DEFAULT false NOT NULL,
    CONSTRAINT gap_not_empty CHECK (((lo >= 0) AND (lo < hi)))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE rrcm.gap IS 'Units that were claimed and handed back; claimed before anything new';

COMMENT ON COLUMN rrcm.gap.gap_id IS 'Number of the gap';

COMMENT ON COLUMN rrcm.gap.run_id IS 'Run of the item';

COMMENT ON COLUMN rrcm.gap.item_id IS 'Item';

COMMENT ON COLUMN rrcm.gap.lo IS 'First unit';

COMMENT ON COLUMN rrcm.gap.hi IS 'One past the last unit';

COMMENT ON COLUMN rrcm.gap.suspect IS 'Its worker ended while holding it: whoever claims it computes it alone, so that a second end tells which item was in hand';

ALTER TABLE rrcm.gap ALTER COLUMN gap_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.gap_gap_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW rrcm.image_cost AS
SELECT
    NULL::bigint AS run_id,
    NULL::text AS run_name,
    NULL::bigint AS item_id,
    NULL::numeric AS sigma,
    NULL::integer AS image_index,
    NULL::rrcm.item_state AS state,
    NULL::bigint AS chunks,
    NULL::bigint AS samples,
    NULL::double precision AS compute_seconds,
    NULL::double precision AS samples_per_second,
    NULL::bigint AS workers,
    NULL::double precision AS elapsed_seconds;

COMMENT ON VIEW rrcm.image_cost IS 'What one item has cost so far: samples drawn and compute time, by all workers together';

COMMENT ON COLUMN rrcm.image_cost.run_id IS 'Run';

COMMENT ON COLUMN rrcm.image_cost.run_name IS 'Name of the run';

COMMENT ON COLUMN rrcm.image_cost.item_id IS 'Item';

COMMENT ON COLUMN rrcm.image_cost.sigma IS 'Noise level';

COMMENT ON COLUMN rrcm.image_cost.image_index IS 'Image';

COMMENT ON COLUMN rrcm.image_cost.state IS 'State of the item';

COMMENT ON COLUMN rrcm.image_cost.chunks IS 'Chunks with stored votes';

COMMENT ON COLUMN rrcm.image_cost.samples IS 'Noise samples in them, selection included';

COMMENT ON COLUMN rrcm.image_cost.compute_seconds IS 'Time the workers computed on them';

COMMENT ON COLUMN rrcm.image_cost.samples_per_second IS 'Samples per second of that time, of one worker';

COMMENT ON COLUMN rrcm.image_cost.workers IS 'Workers that computed any of them';

COMMENT ON COLUMN rrcm.image_cost.elapsed_seconds IS 'From the first stored chunk to the last';

CREATE VIEW rrcm.image_set AS
 SELECT dataset.dataset_digest,
    dataset.name,
    dataset.channels,
    dataset.height,
    dataset.width,
    dataset.classes,
    dataset.image_count,
    dataset.source,
    dataset.imported_at
   FROM rrcm.dataset;

COMMENT ON VIEW rrcm.image_set IS 'Image sets by digest';

COMMENT ON COLUMN rrcm.image_set.dataset_digest IS 'SHA-256 of the packed image set';

COMMENT ON COLUMN rrcm.image_set.name IS 'What run files call it';

COMMENT ON COLUMN rrcm.image_set.channels IS 'Image channels C';

COMMENT ON COLUMN rrcm.image_set.height IS 'Image height H in pixels';

COMMENT ON COLUMN rrcm.image_set.width IS 'Image width W in pixels';

COMMENT ON COLUMN rrcm.image_set.classes IS 'Class names in label order';

COMMENT ON COLUMN rrcm.image_set.image_count IS 'Number of images over all splits';

COMMENT ON COLUMN rrcm.image_set.source IS 'Where the images were read from';

COMMENT ON COLUMN rrcm.image_set.imported_at IS 'When it was imported';

CREATE TABLE rrcm.imported_certificate (
    import_id bigint NOT NULL,
    sigma numeric NOT NULL,
    row_number integer NOT NULL,
    image_index integer,
    label integer NOT NULL,
    predicted integer,
    radius double precision,
    n_a integer,
    stated_correct boolean,
    seconds double precision,
    correct boolean GENERATED ALWAYS AS ((NOT (predicted IS DISTINCT FROM label))) STORED,
    CONSTRAINT imported_certificate_abstains_without_radius CHECK (((predicted IS NULL) = (radius IS NULL))),
    CONSTRAINT imported_certificate_label_not_negative CHECK (((label >= 0) AND ((predicted IS NULL) OR (predicted >= 0)))),
    CONSTRAINT imported_certificate_radius_not_negative CHECK (((radius IS NULL) OR (radius >= (0)::double precision)))
);

COMMENT ON TABLE rrcm.imported_certificate IS 'One row of an imported log. No votes belong to it: it cannot be recomputed and is never counted with this fleet''s certificates';

COMMENT ON COLUMN rrcm.imported_certificate.import_id IS 'Imported run';

COMMENT ON COLUMN rrcm.imported_certificate.sigma IS 'Noise level';

COMMENT ON COLUMN rrcm.imported_certificate.row_number IS 'Place in the log, from 0';

COMMENT ON COLUMN rrcm.imported_certificate.image_index IS 'Image index as the log has it; null in logs without';

COMMENT ON COLUMN rrcm.imported_certificate.label IS 'True class, as the log has it';

COMMENT ON COLUMN rrcm.imported_certificate.predicted IS 'Certified class; null when abstained';

COMMENT ON COLUMN rrcm.imported_certificate.radius IS 'Radius, as printed unless the log held the full one; null when abstained';

COMMENT ON COLUMN rrcm.imported_certificate.n_a IS 'Votes for the top class where the log held them; never checked';

COMMENT ON COLUMN rrcm.imported_certificate.stated_correct IS 'The log''s own correct column; for comparison only';

COMMENT ON COLUMN rrcm.imported_certificate.seconds IS 'The log''s time for the image';

COMMENT ON COLUMN rrcm.imported_certificate.correct IS 'Recomputed: predicted equals label';

CREATE TABLE rrcm.imported_log (
    import_id bigint NOT NULL,
    sigma numeric NOT NULL,
    n integer NOT NULL,
    alpha double precision NOT NULL,
    row_count integer NOT NULL,
    has_indices boolean NOT NULL,
    has_full_radii boolean NOT NULL,
    files text[] NOT NULL,
    file_digests text[] NOT NULL,
    notes text[] DEFAULT '{}'::text[] NOT NULL,
    imported_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT imported_log_alpha_is_probability CHECK (((alpha > (0)::double precision) AND (alpha <= (0.5)::double precision))),
    CONSTRAINT imported_log_digest_per_file CHECK (((cardinality(files) > 0) AND (cardinality(files) = cardinality(file_digests)))),
    CONSTRAINT imported_log_draws_positive CHECK ((n > 0)),
    CONSTRAINT imported_log_has_rows CHECK ((row_count > 0)),
    CONSTRAINT imported_log_sigma_positive CHECK ((sigma > (0)::numeric))
);

COMMENT ON TABLE rrcm.imported_log IS 'One noise level of an imported run: the log it was read from and what was stated about it';

COMMENT ON COLUMN rrcm.imported_log.import_id IS 'Imported run';

COMMENT ON COLUMN rrcm.imported_log.sigma IS 'Noise level in the [0, 1] pixel range, as stated at import';

COMMENT ON COLUMN rrcm.imported_log.n IS 'Estimation draws, as stated at import; logs do not hold them';

COMMENT ON COLUMN rrcm.imported_log.alpha IS 'Failure probability of one certificate, as stated at import';

COMMENT ON COLUMN rrcm.imported_log.row_count IS 'Rows of the log: the denominator of every share';

COMMENT ON COLUMN rrcm.imported_log.has_indices IS 'Whether the log names its images';

COMMENT ON COLUMN rrcm.imported_log.has_full_radii IS 'False when radii are as printed: rounded to nearest, some above the certified ones';

COMMENT ON COLUMN rrcm.imported_log.files IS 'Names of the files it was read from, in order';

COMMENT ON COLUMN rrcm.imported_log.file_digests IS 'SHA-256 of each of those files';

COMMENT ON COLUMN rrcm.imported_log.notes IS 'What the reader found: a cut last line, a correct column that is not label = predict, …';

COMMENT ON COLUMN rrcm.imported_log.imported_at IS 'When it was imported';

CREATE TABLE rrcm.imported_run (
    import_id bigint NOT NULL,
    name text NOT NULL,
    source text NOT NULL,
    imported_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE rrcm.imported_run IS 'Certification results computed elsewhere, by name; this fleet neither computed nor can recompute them';

COMMENT ON COLUMN rrcm.imported_run.import_id IS 'Number of the imported run';

COMMENT ON COLUMN rrcm.imported_run.name IS 'What reports call it';

COMMENT ON COLUMN rrcm.imported_run.source IS 'Where it comes from, in words: repository, paper, machine';

COMMENT ON COLUMN rrcm.imported_run.imported_at IS 'When its first log was imported';

CREATE VIEW rrcm.imported_level AS
 SELECT r.import_id,
    r.name,
    r.source,
    l.sigma,
    l.n,
    l.alpha,
    l.row_count,
    l.has_indices,
    l.has_full_radii,
    l.files,
    l.file_digests,
    l.notes,
    l.imported_at
   FROM (rrcm.imported_run r
     JOIN rrcm.imported_log l USING (import_id));

COMMENT ON VIEW rrcm.imported_level IS 'Imported logs: one row per noise level';

COMMENT ON COLUMN rrcm.imported_level.import_id IS 'Imported run';

COMMENT ON COLUMN rrcm.imported_level.name IS 'What reports call it';

COMMENT ON COLUMN rrcm.imported_level.source IS 'Where it comes from, in words: repository, paper, machine';

COMMENT ON COLUMN rrcm.imported_level.sigma IS 'Noise level in the [0, 1] pixel range, as stated at import';

COMMENT ON COLUMN rrcm.imported_level.n IS 'Estimation draws, as stated at import; logs do not hold them';

COMMENT ON COLUMN rrcm.imported_level.alpha IS 'Failure probability of one certificate, as stated at import';

COMMENT ON COLUMN rrcm.imported_level.row_count IS 'Rows of the log: the denominator of every share';

COMMENT ON COLUMN rrcm.imported_level.has_indices IS 'Whether the log names its images';

COMMENT ON COLUMN rrcm.imported_level.has_full_radii IS 'False when radii are as printed: rounded to nearest, some above the certified ones';

COMMENT ON COLUMN rrcm.imported_level.files IS 'Names of the files it was read from, in order';

COMMENT ON COLUMN rrcm.imported_level.file_digests IS 'SHA-256 of each of those files';

COMMENT ON COLUMN rrcm.imported_level.notes IS 'What the reader found: a cut last line, a correct column that is not label = predict, …';

COMMENT ON COLUMN rrcm.imported_level.imported_at IS 'When it was imported';

ALTER TABLE rrcm.imported_run ALTER COLUMN import_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.imported_run_import_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE rrcm.item ALTER COLUMN item_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.item_item_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rrcm.job (
    job_id bigint NOT NULL,
    run_id bigint NOT NULL,
    state rrcm.job_state DEFAULT 'queued'::rrcm.job_state NOT NULL,
    run_lease bigint DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    worker_id bigint,
    epoch integer,
    deadline_at timestamp with time zone,
    step bigint DEFAULT 0 NOT NULL,
    steps bigint NOT NULL,
    snapshot_digest text,
    snapshot_step bigint DEFAULT 0 NOT NULL,
    checkpoint_digest text,
    error text,
    queued_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT job_done_has_checkpoint CHECK (((state = 'done'::rrcm.job_state) = (checkpoint_digest IS NOT NULL))),
    CONSTRAINT job_finished_or_finished_at_null CHECK (((state = ANY (ARRAY['done'::rrcm.job_state, 'failed'::rrcm.job_state, 'cancelled'::rrcm.job_state])) = (finished_at IS NOT NULL))),
    CONSTRAINT job_running_has_holder CHECK (((state = 'running'::rrcm.job_state) = ((worker_id IS NOT NULL) AND (deadline_at IS NOT NULL))))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='500');

COMMENT ON TABLE rrcm.job IS 'Long, fenced work of a training run';

COMMENT ON COLUMN rrcm.job.job_id IS 'Number of the job';

COMMENT ON COLUMN rrcm.job.run_id IS 'Run';

COMMENT ON COLUMN rrcm.job.state IS 'Where the training stands';

COMMENT ON COLUMN rrcm.job.run_lease IS 'Fencing number: rises at each claim; writes under an older one are refused';

COMMENT ON COLUMN rrcm.job.attempts IS 'Attempts that ended in an error; losing a lease is not one';

COMMENT ON COLUMN rrcm.job.worker_id IS 'Present holder';

COMMENT ON COLUMN rrcm.job.epoch IS 'The holder''s epoch';

COMMENT ON COLUMN rrcm.job.deadline_at IS 'When it is taken back even from a worker that beats; moved on by progress';

COMMENT ON COLUMN rrcm.job.step IS 'Last step reported';

COMMENT ON COLUMN rrcm.job.steps IS 'Steps in all';

COMMENT ON COLUMN rrcm.job.snapshot_digest IS 'Newest stored training state, from which it resumes';

COMMENT ON COLUMN rrcm.job.snapshot_step IS 'Step of that state';

COMMENT ON COLUMN rrcm.job.checkpoint_digest IS 'What it made; equal trainings make equal checkpoints';

COMMENT ON COLUMN rrcm.job.error IS 'Last error';

COMMENT ON COLUMN rrcm.job.queued_at IS 'When it was queued';

COMMENT ON COLUMN rrcm.job.finished_at IS 'When it ended';

ALTER TABLE rrcm.job ALTER COLUMN job_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.job_job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rrcm.leadership (
    single boolean DEFAULT true NOT NULL,
    term bigint DEFAULT 0 NOT NULL,
    part_id bigint,
    elected_at timestamp with time zone,
    deadline_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT leadership_has_one_row CHECK (single),
    CONSTRAINT leadership_term_not_negative CHECK ((term >= 0))
)
WITH (fillfactor='50');

COMMENT ON TABLE rrcm.leadership IS 'The one row that coordinators contend for; its term fences what the leader writes';

COMMENT ON COLUMN rrcm.leadership.single IS 'Always true: there is one row';

COMMENT ON COLUMN rrcm.leadership.term IS 'Rises with each election and never falls; a write under an older term is refused';

COMMENT ON COLUMN rrcm.leadership.part_id IS 'Coordinator that has this term; null when it left and nobody was elected since';

COMMENT ON COLUMN rrcm.leadership.elected_at IS 'When this term began';

COMMENT ON COLUMN rrcm.leadership.deadline_at IS 'When another may be elected; each of the leader''s writes moves it on';

CREATE TABLE rrcm.lease (
    lease_id bigint NOT NULL,
    item_id bigint NOT NULL,
    lo integer NOT NULL,
    hi integer NOT NULL,
    worker_id bigint NOT NULL,
    epoch integer NOT NULL,
    issued_at timestamp with time zone DEFAULT now() NOT NULL,
    deadline_at timestamp with time zone NOT NULL,
    duplicate boolean DEFAULT false NOT NULL,
    renewed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT lease_not_empty CHECK (((lo >= 0) AND (lo < hi)))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='5000');

COMMENT ON TABLE rrcm.lease IS 'A range of an item''s units held by one worker until deadline_at';

COMMENT ON COLUMN rrcm.lease.lease_id IS 'Number of the lease';

COMMENT ON COLUMN rrcm.lease.item_id IS 'Item';

COMMENT ON COLUMN rrcm.lease.lo IS 'First unit; moves on with every post, except in a duplicate';

COMMENT ON COLUMN rrcm.lease.hi IS 'One past the last unit; moves down when somebody takes the rest over';

COMMENT ON COLUMN rrcm.lease.worker_id IS 'Holder';

COMMENT ON COLUMN rrcm.lease.epoch IS 'The holder''s epoch';

COMMENT ON COLUMN rrcm.lease.issued_at IS 'When it was claimed';

COMMENT ON COLUMN rrcm.lease.deadline_at IS 'When it is taken back even from a worker that beats: a hung device';

COMMENT ON COLUMN rrcm.lease.duplicate IS 'Its units are held by another lease too, whose holder is slower; ending it makes no gap';

COMMENT ON COLUMN rrcm.lease.renewed_at IS 'When its holder last posted, or claimed it';

ALTER TABLE rrcm.lease ALTER COLUMN lease_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.lease_lease_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rrcm.metric (
    run_id bigint NOT NULL,
    step bigint NOT NULL,
    name text NOT NULL,
    value double precision NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE rrcm.metric IS 'Training metrics: losses, learning rate, accuracy under noise';

COMMENT ON COLUMN rrcm.metric.run_id IS 'Run';

COMMENT ON COLUMN rrcm.metric.step IS 'Completed steps when it was measured';

COMMENT ON COLUMN rrcm.metric.name IS 'What was measured';

COMMENT ON COLUMN rrcm.metric.value IS 'Value';

COMMENT ON COLUMN rrcm.metric.recorded_at IS 'When it was recorded';

CREATE TABLE rrcm.part (
    part_id bigint NOT NULL,
    kind rrcm.part_kind NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    software text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    beat_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE rrcm.part IS 'Coordinators and aggregators that are there: one row per process, gone when it leaves or is silent for an hour';

COMMENT ON COLUMN rrcm.part.part_id IS 'Number of the part';

COMMENT ON COLUMN rrcm.part.kind IS 'What it does';

COMMENT ON COLUMN rrcm.part.host IS 'Machine it runs on';

COMMENT ON COLUMN rrcm.part.pid IS 'Its process there';

COMMENT ON COLUMN rrcm.part.software IS 'Its version of the software';

COMMENT ON COLUMN rrcm.part.started_at IS 'When it was there first';

COMMENT ON COLUMN rrcm.part.beat_at IS 'Last sign of life, by the database''s clock';

CREATE VIEW rrcm.part_health AS
 SELECT p.part_id,
    p.kind,
    p.host,
    p.pid,
    p.software,
    l.term,
    COALESCE((l.deadline_at > now()), false) AS leads,
    (EXTRACT(epoch FROM (now() - p.beat_at)))::double precision AS silent_seconds,
    p.started_at
   FROM (rrcm.part p
     LEFT JOIN rrcm.leadership l USING (part_id));

COMMENT ON VIEW rrcm.part_health IS 'One row per coordinator and aggregator: alive or not, and which one leads';

COMMENT ON COLUMN rrcm.part_health.part_id IS 'Number of the part';

COMMENT ON COLUMN rrcm.part_health.kind IS 'coordinator or aggregator';

COMMENT ON COLUMN rrcm.part_health.host IS 'Machine it runs on';

COMMENT ON COLUMN rrcm.part_health.pid IS 'Its process there';

COMMENT ON COLUMN rrcm.part_health.software IS 'Its version of the software';

COMMENT ON COLUMN rrcm.part_health.term IS 'The term it was elected for; null when it was not elected last';

COMMENT ON COLUMN rrcm.part_health.leads IS 'Whether its term still holds';

COMMENT ON COLUMN rrcm.part_health.silent_seconds IS 'Seconds since its last sign of life';

COMMENT ON COLUMN rrcm.part_health.started_at IS 'When it was there first';

ALTER TABLE rrcm.part ALTER COLUMN part_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.part_part_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rrcm.worker (
    worker_id bigint NOT NULL,
    name text NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    state rrcm.worker_state DEFAULT 'live'::rrcm.worker_state NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    device text NOT NULL,
    software text NOT NULL,
    numerics_ids text[] DEFAULT '{}'::text[] NOT NULL,
    samples_per_second double precision,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    beat_at timestamp with time zone DEFAULT now() NOT NULL,
    login name DEFAULT SESSION_USER NOT NULL,
    process_since timestamp with time zone DEFAULT now() NOT NULL,
    quarantined_at timestamp with time zone,
    quarantine_reason text,
    CONSTRAINT worker_epoch_positive CHECK ((epoch > 0)),
    CONSTRAINT worker_quarantined_with_reason CHECK (((quarantined_at IS NULL) = (quarantine_reason IS NULL)))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE rrcm.worker IS 'One row per worker name, with its heartbeat';

COMMENT ON COLUMN rrcm.worker.worker_id IS 'Number of the worker';

COMMENT ON COLUMN rrcm.worker.name IS 'Name it registers under';

COMMENT ON COLUMN rrcm.worker.epoch IS 'Rises at each registration; what an earlier epoch held is not its own any more';

COMMENT ON COLUMN rrcm.worker.state IS 'gone once it stopped, or was silent for too long';

COMMENT ON COLUMN rrcm.worker.host IS 'Machine it runs on';

COMMENT ON COLUMN rrcm.worker.pid IS 'Its process there';

COMMENT ON COLUMN rrcm.worker.device IS 'What it computes with';

COMMENT ON COLUMN rrcm.worker.software IS 'Its version of the software';

COMMENT ON COLUMN rrcm.worker.numerics_ids IS 'Numerics ids it has shown to compute, since it registered';

COMMENT ON COLUMN rrcm.worker.samples_per_second IS 'Measured speed on its current run';

COMMENT ON COLUMN rrcm.worker.registered_at IS 'When this epoch began';

COMMENT ON COLUMN rrcm.worker.beat_at IS 'Last heartbeat, by the database''s clock';

COMMENT ON COLUMN rrcm.worker.login IS 'Login that registered it. Under the role rrcm_worker a login changes its own workers'' rows, leases and jobs only';

COMMENT ON COLUMN rrcm.worker.process_since IS 'When its present process (host and pid) first registered under this name: what it loaded then it may still hold';

COMMENT ON COLUMN rrcm.worker.quarantined_at IS 'Since when it may neither claim nor post, because it computed wrongly; null otherwise. rrcm worker release ends it';

COMMENT ON COLUMN rrcm.worker.quarantine_reason IS 'The recorded machine fault';

CREATE VIEW rrcm.queue_depth AS
 SELECT r.run_id,
    r.name,
    r.kind,
    r.priority,
    ((COALESCE(items.units, (0)::bigint) + COALESCE(gaps.units, (0)::bigint)) + COALESCE(jobs.queued, (0)::bigint)) AS ready,
    (COALESCE(leases.units, (0)::bigint) + COALESCE(jobs.running, (0)::bigint)) AS leased,
    (EXTRACT(epoch FROM (now() - r.started_at)))::double precision AS oldest_seconds,
    (NOT (EXISTS ( SELECT
           FROM rrcm.worker w
          WHERE ((w.state = 'live'::rrcm.worker_state) AND ((r.numerics_ids = '{}'::text[]) OR (w.numerics_ids && r.numerics_ids)))))) AS stranded,
    (r.paused_at IS NOT NULL) AS paused
   FROM ((((rrcm.run r
     LEFT JOIN LATERAL ( SELECT sum((COALESCE(i.target_units, i.unit_count) - i.next_unit)) AS units
           FROM rrcm.item i
          WHERE ((i.run_id = r.run_id) AND (i.state = 'open'::rrcm.item_state))) items ON (true))
     LEFT JOIN LATERAL ( SELECT sum((g.hi - g.lo)) AS units
           FROM (rrcm.gap g
             JOIN rrcm.item i USING (item_id))
          WHERE ((g.run_id = r.run_id) AND (i.state = ANY (ARRAY['open'::rrcm.item_state, 'claimed'::rrcm.item_state])))) gaps ON (true))
     LEFT JOIN LATERAL ( SELECT sum((l.hi - l.lo)) AS units
           FROM (rrcm.lease l
             JOIN rrcm.item i USING (item_id))
          WHERE (i.run_id = r.run_id)) leases ON (true))
     LEFT JOIN LATERAL ( SELECT count(*) FILTER (WHERE (j.state = 'queued'::rrcm.job_state)) AS queued,
            count(*) FILTER (WHERE (j.state = 'running'::rrcm.job_state)) AS running
           FROM rrcm.job j
          WHERE (j.run_id = r.run_id)) jobs ON (true))
  WHERE (r.state = 'running'::rrcm.run_state);

COMMENT ON VIEW rrcm.queue_depth IS 'One row per running run: units (chunks, or the training job) ready and leased';

COMMENT ON COLUMN rrcm.queue_depth.run_id IS 'Run';

COMMENT ON COLUMN rrcm.queue_depth.name IS 'Name';

COMMENT ON COLUMN rrcm.queue_depth.kind IS 'What it does';

COMMENT ON COLUMN rrcm.queue_depth.priority IS 'Higher is served first; equal ones share the workers'' time by weight';

COMMENT ON COLUMN rrcm.queue_depth.ready IS 'Units that may be claimed now: of runs that stop early those up to the next look, of items that are held none';

COMMENT ON COLUMN rrcm.queue_depth.leased IS 'Units held by workers';

COMMENT ON COLUMN rrcm.queue_depth.oldest_seconds IS 'Seconds since the run was planned';

COMMENT ON COLUMN rrcm.queue_depth.stranded IS 'True when no live worker has shown to compute one of its numerics ids';

COMMENT ON COLUMN rrcm.queue_depth.paused IS 'Nothing of it is handed out until rrcm run resume';

CREATE VIEW rrcm.ready_run AS
 SELECT r.run_id,
    r.kind,
    r.priority,
    r.weight
   FROM rrcm.run r
  WHERE ((r.state = 'running'::rrcm.run_state) AND (r.finished_at IS NULL) AND (r.paused_at IS NULL) AND
        CASE
            WHEN (r.kind = 'certify'::rrcm.run_kind) THEN ((EXISTS ( SELECT
               FROM rrcm.item i
              WHERE ((i.run_id = r.run_id) AND (i.state = 'open'::rrcm.item_state)))) OR (EXISTS ( SELECT
               FROM (rrcm.gap g
                 JOIN rrcm.item i USING (item_id))
              WHERE ((g.run_id = r.run_id) AND (i.state = ANY (ARRAY['open'::rrcm.item_state, 'claimed'::rrcm.item_state]))))))
            ELSE (EXISTS ( SELECT
               FROM rrcm.job j
              WHERE ((j.run_id = r.run_id) AND (j.state = 'queued'::rrcm.job_state))))
        END);

COMMENT ON VIEW rrcm.ready_run IS 'Runs that have something to claim now';

COMMENT ON COLUMN rrcm.ready_run.run_id IS 'Run';

COMMENT ON COLUMN rrcm.ready_run.kind IS 'What it does';

COMMENT ON COLUMN rrcm.ready_run.priority IS 'Higher is served first';

COMMENT ON COLUMN rrcm.ready_run.weight IS 'Share of the workers'' time among runs of equal priority';

CREATE VIEW rrcm.report_level AS
 SELECT 'fleet'::text AS origin,
    r.run_id AS origin_id,
    r.name,
    s.sigma,
    c.sampler,
    c.n0,
    c.n,
    c.alpha,
    cardinality(r.image_indices) AS images,
    t.finished,
    t.held,
    t.abstained,
    t.correct,
    ((t.finished - t.abstained) - t.correct) AS wrong,
    (t.radius_sum / (cardinality(r.image_indices))::double precision) AS acr_low,
        CASE
            WHEN (t.finished = cardinality(r.image_indices)) THEN (t.radius_sum / (cardinality(r.image_indices))::double precision)
            ELSE NULL::double precision
        END AS acr,
    t.largest_radius,
    t.seconds,
    (t.seconds / (NULLIF(t.finished, 0))::double precision) AS seconds_per_image
   FROM (((rrcm.run r
     JOIN rrcm.certification c USING (run_id))
     JOIN rrcm.certification_sigma s USING (run_id))
     CROSS JOIN LATERAL ( SELECT count(k.item_id) AS finished,
            count(*) FILTER (WHERE (i.state = 'held'::rrcm.item_state)) AS held,
            count(*) FILTER (WHERE k.abstained) AS abstained,
            count(*) FILTER (WHERE k.correct) AS correct,
            COALESCE(sum(k.radius) FILTER (WHERE k.correct), (0)::double precision) AS radius_sum,
            max(k.radius) AS largest_radius,
            sum(k.compute_seconds) AS seconds
           FROM (rrcm.item i
             LEFT JOIN rrcm.certificate k ON (((k.item_id = i.item_id) AND (i.state = 'certified'::rrcm.item_state))))
          WHERE ((i.run_id = r.run_id) AND (i.sigma = s.sigma))) t)
UNION ALL
 SELECT 'imported'::text AS origin,
    l.import_id AS origin_id,
    r.name,
    l.sigma,
    NULL::text AS sampler,
    NULL::integer AS n0,
    l.n,
    l.alpha,
    l.row_count AS images,
    t.finished,
    0 AS held,
    t.abstained,
    t.correct,
    ((t.finished - t.abstained) - t.correct) AS wrong,
    (t.radius_sum / (l.row_count)::double precision) AS acr_low,
    (t.radius_sum / (l.row_count)::double precision) AS acr,
    t.largest_radius,
    t.seconds,
    (t.seconds / (NULLIF(t.timed, 0))::double precision) AS seconds_per_image
   FROM ((rrcm.imported_log l
     JOIN rrcm.imported_run r USING (import_id))
     CROSS JOIN LATERAL ( SELECT count(*) AS finished,
            count(x.seconds) AS timed,
            count(*) FILTER (WHERE (x.predicted IS NULL)) AS abstained,
            count(*) FILTER (WHERE x.correct) AS correct,
            COALESCE(sum(x.radius) FILTER (WHERE x.correct), (0)::double precision) AS radius_sum,
            max(x.radius) AS largest_radius,
            sum(x.seconds) AS seconds
           FROM rrcm.imported_certificate x
          WHERE ((x.import_id = l.import_id) AND (x.sigma = l.sigma))) t);

COMMENT ON VIEW rrcm.report_level IS 'One row per run and sigma, own and imported: images, finished, abstained, correct, wrong, average certified radius, time';

COMMENT ON COLUMN rrcm.report_level.origin IS 'fleet: computed here, recomputable; imported: read from a log';

COMMENT ON COLUMN rrcm.report_level.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';

COMMENT ON COLUMN rrcm.report_level.name IS 'Name of the run';

COMMENT ON COLUMN rrcm.report_level.sigma IS 'Noise level in the [0, 1] pixel range';

COMMENT ON COLUMN rrcm.report_level.sampler IS 'grid, or gaussian (sound in real arithmetic only); null when imported';

COMMENT ON COLUMN rrcm.report_level.n0 IS 'Selection draws; null when imported';

COMMENT ON COLUMN rrcm.report_level.n IS 'Estimation draws; of imported logs as stated';

COMMENT ON COLUMN rrcm.report_level.alpha IS 'Failure probability of one certificate; of imported logs as stated';

COMMENT ON COLUMN rrcm.report_level.images IS 'Images of the run, or rows of the log: the denominator of every share';

COMMENT ON COLUMN rrcm.report_level.finished IS 'Those with a certificate or an abstention';

COMMENT ON COLUMN rrcm.report_level.held IS 'Those held because votes disagree; unfinished';

COMMENT ON COLUMN rrcm.report_level.abstained IS 'Those where nothing was certified';

COMMENT ON COLUMN rrcm.report_level.correct IS 'Those certified for their label';

COMMENT ON COLUMN rrcm.report_level.wrong IS 'Those certified for another class';

COMMENT ON COLUMN rrcm.report_level.acr_low IS 'Average certified radius over all images; wrong, abstained and unfinished ones count 0';

COMMENT ON COLUMN rrcm.report_level.acr IS 'The same; null until every image is finished';

COMMENT ON COLUMN rrcm.report_level.largest_radius IS 'Largest radius certified, correct or not';

COMMENT ON COLUMN rrcm.report_level.seconds IS 'Compute time of the finished images together';

COMMENT ON COLUMN rrcm.report_level.seconds_per_image IS 'Compute time per finished image';

CREATE VIEW rrcm.report_result AS
 SELECT 'fleet'::text AS origin,
    i.run_id AS origin_id,
    r.name,
    i.sigma,
    i.image_index,
    i.label,
    (i.state)::text AS state,
    c.predicted,
    c.radius,
    c.abstained,
    c.correct,
    c.n_a,
    c.n,
    c.alpha,
    c.p_lower,
    c.compute_seconds AS seconds
   FROM ((rrcm.item i
     JOIN rrcm.run r USING (run_id))
     LEFT JOIN rrcm.certificate c ON (((c.item_id = i.item_id) AND (i.state = 'certified'::rrcm.item_state))))
UNION ALL
 SELECT 'imported'::text AS origin,
    x.import_id AS origin_id,
    r.name,
    x.sigma,
    COALESCE(x.image_index, x.row_number) AS image_index,
    x.label,
    'imported'::text AS state,
    x.predicted,
    x.radius,
    (x.predicted IS NULL) AS abstained,
    x.correct,
    x.n_a,
    l.n,
    l.alpha,
    NULL::double precision AS p_lower,
    x.seconds
   FROM ((rrcm.imported_certificate x
     JOIN rrcm.imported_log l USING (import_id, sigma))
     JOIN rrcm.imported_run r USING (import_id));

COMMENT ON VIEW rrcm.report_result IS 'One row per image and sigma, of own runs (origin fleet) and imported logs (origin imported), which carry no votes';

COMMENT ON COLUMN rrcm.report_result.origin IS 'fleet: computed here, recomputable; imported: read from a log';

COMMENT ON COLUMN rrcm.report_result.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';

COMMENT ON COLUMN rrcm.report_result.name IS 'Name of the run';

COMMENT ON COLUMN rrcm.report_result.sigma IS 'Noise level in the [0, 1] pixel range';

COMMENT ON COLUMN rrcm.report_result.image_index IS 'Image; the row''s place in an imported log without indices';

COMMENT ON COLUMN rrcm.report_result.label IS 'True class';

COMMENT ON COLUMN rrcm.report_result.state IS 'State of the item; imported';

COMMENT ON COLUMN rrcm.report_result.predicted IS 'Certified class; null when abstained or unfinished';

COMMENT ON COLUMN rrcm.report_result.radius IS 'Certified L2 radius; null when abstained or unfinished; of imported logs often as printed';

COMMENT ON COLUMN rrcm.report_result.abstained IS 'True when nothing was certified; null while unfinished';

COMMENT ON COLUMN rrcm.report_result.correct IS 'Certified class equals the label; null while unfinished';

COMMENT ON COLUMN rrcm.report_result.n_a IS 'Estimation votes for the top class';

COMMENT ON COLUMN rrcm.report_result.n IS 'Estimation draws; of imported logs as stated';

COMMENT ON COLUMN rrcm.report_result.alpha IS 'Failure probability of this one certificate; of imported logs as stated';

COMMENT ON COLUMN rrcm.report_result.p_lower IS 'Lower bound of the top class''s probability; null when imported';

COMMENT ON COLUMN rrcm.report_result.seconds IS 'Compute time of the image; of imported logs as they say';

CREATE VIEW rrcm.report_accuracy AS
 SELECT l.origin,
    l.origin_id,
    l.name,
    l.sigma,
    (((step.step)::numeric / 20.0))::numeric(8,2) AS r,
    l.images,
    l.finished,
    hits.certified,
    ((hits.certified)::double precision / (l.images)::double precision) AS accuracy_low,
    ((((hits.certified + l.images) - l.finished))::double precision / (l.images)::double precision) AS accuracy_high
   FROM ((rrcm.report_level l
     CROSS JOIN LATERAL generate_series(0, ((ceil(((20)::double precision * COALESCE(l.largest_radius, (0)::double precision))))::integer + 1)) step(step))
     CROSS JOIN LATERAL ( SELECT count(*) AS certified
           FROM rrcm.report_result x
          WHERE ((x.origin = l.origin) AND (x.origin_id = l.origin_id) AND (x.sigma = l.sigma) AND x.correct AND (x.radius >= (((step.step)::numeric / 20.0))::double precision))) hits);

COMMENT ON VIEW rrcm.report_accuracy IS 'Certified accuracy at r = 0, 0.05, 0.10, … per run and sigma, own and imported; an interval while images are unfinished';

COMMENT ON COLUMN rrcm.report_accuracy.origin IS 'fleet: computed here, recomputable; imported: read from a log';

COMMENT ON COLUMN rrcm.report_accuracy.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';

COMMENT ON COLUMN rrcm.report_accuracy.name IS 'Name of the run';

COMMENT ON COLUMN rrcm.report_accuracy.sigma IS 'Noise level';

COMMENT ON COLUMN rrcm.report_accuracy.r IS 'L2 radius';

COMMENT ON COLUMN rrcm.report_accuracy.images IS 'Images of the run, or rows of the log: the denominator';

COMMENT ON COLUMN rrcm.report_accuracy.finished IS 'Those with a certificate or an abstention';

COMMENT ON COLUMN rrcm.report_accuracy.certified IS 'Those correct and certified at r or more';

COMMENT ON COLUMN rrcm.report_accuracy.accuracy_low IS 'Share of all images, unfinished counted wrong';

COMMENT ON COLUMN rrcm.report_accuracy.accuracy_high IS 'Share of all images, unfinished counted right';

CREATE VIEW rrcm.report_envelope AS
 SELECT DISTINCT ON (a.origin, a.origin_id, a.r) a.origin,
    a.origin_id,
    a.name,
    a.r,
    a.sigma,
    a.accuracy_low,
    a.accuracy_high,
    clean.accuracy_low AS clean_accuracy,
    clean.levels AS chosen_among
   FROM (rrcm.report_accuracy a
     JOIN ( SELECT report_accuracy.origin,
            report_accuracy.origin_id,
            report_accuracy.sigma,
            report_accuracy.accuracy_low,
            count(*) OVER (PARTITION BY report_accuracy.origin, report_accuracy.origin_id) AS levels
           FROM rrcm.report_accuracy
          WHERE (report_accuracy.r = (0)::numeric)) clean USING (origin, origin_id, sigma))
  ORDER BY a.origin, a.origin_id, a.r, a.accuracy_low DESC, a.sigma;

COMMENT ON VIEW rrcm.report_envelope IS 'SELECTION ON THE TEST SET: at each radius the best noise level of a run, the smallest on ties; not the result of one classifier';

COMMENT ON COLUMN rrcm.report_envelope.origin IS 'fleet: computed here, recomputable; imported: read from a log';

COMMENT ON COLUMN rrcm.report_envelope.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';

COMMENT ON COLUMN rrcm.report_envelope.name IS 'Name of the run';

COMMENT ON COLUMN rrcm.report_envelope.r IS 'L2 radius';

COMMENT ON COLUMN rrcm.report_envelope.sigma IS 'The noise level that is best at this radius on these images';

COMMENT ON COLUMN rrcm.report_envelope.accuracy_low IS 'Its certified accuracy, unfinished counted wrong: what it was chosen by';

COMMENT ON COLUMN rrcm.report_envelope.accuracy_high IS 'The same, unfinished counted right';

COMMENT ON COLUMN rrcm.report_envelope.clean_accuracy IS 'That level''s certified accuracy at radius 0';

COMMENT ON COLUMN rrcm.report_envelope.chosen_among IS 'Noise levels of the run among which it was chosen';

CREATE VIEW rrcm.report_histogram AS
 SELECT x.origin,
    x.origin_id,
    x.name,
    x.sigma,
    (((bin.step)::numeric / 20.0))::numeric(8,2) AS radius_from,
    ((((bin.step + 1))::numeric / 20.0))::numeric(8,2) AS radius_below,
    count(*) FILTER (WHERE x.correct) AS correct,
    count(*) FILTER (WHERE (NOT x.correct)) AS wrong
   FROM (rrcm.report_result x
     CROSS JOIN LATERAL ( SELECT ((floor(((20)::double precision * x.radius)))::integer - ((x.radius < (((floor(((20)::double precision * x.radius)))::numeric / (20)::numeric))::double precision))::integer) AS step) bin)
  WHERE (x.radius IS NOT NULL)
  GROUP BY x.origin, x.origin_id, x.name, x.sigma, bin.step;

COMMENT ON VIEW rrcm.report_histogram IS 'How many images were certified with a radius in [radius_from, radius_below), in steps of 0.05; empty steps have no row';

COMMENT ON COLUMN rrcm.report_histogram.origin IS 'fleet: computed here, recomputable; imported: read from a log';

COMMENT ON COLUMN rrcm.report_histogram.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';

COMMENT ON COLUMN rrcm.report_histogram.name IS 'Name of the run';

COMMENT ON COLUMN rrcm.report_histogram.sigma IS 'Noise level';

COMMENT ON COLUMN rrcm.report_histogram.radius_from IS 'Least radius of the step';

COMMENT ON COLUMN rrcm.report_histogram.radius_below IS 'Least radius of the next step';

COMMENT ON COLUMN rrcm.report_histogram.correct IS 'Images certified for their label';

COMMENT ON COLUMN rrcm.report_histogram.wrong IS 'Images certified for another class';

CREATE VIEW rrcm.report_interval AS
 SELECT a.origin,
    a.origin_id,
    a.name,
    a.sigma,
    a.r,
    a.images,
    a.certified,
    a.accuracy_low,
    a.accuracy_high,
    rrcm.binomial_lower((a.certified)::integer, a.images, (0.025)::double precision) AS interval_low,
    rrcm.binomial_upper((((a.certified + a.images) - a.finished))::integer, a.images, (0.025)::double precision) AS interval_high,
    l.false_certificates,
    ((GREATEST((a.certified - l.false_certificates), (0)::bigint))::double precision / (a.images)::double precision) AS certain_low
   FROM (rrcm.report_accuracy a
     JOIN ( SELECT report_level.origin,
            report_level.origin_id,
            report_level.sigma,
            rrcm.false_certificates(report_level.images, report_level.alpha, (0.001)::double precision) AS false_certificates
           FROM rrcm.report_level) l USING (origin, origin_id, sigma));

COMMENT ON VIEW rrcm.report_interval IS 'Certified accuracy with its exact binomial 95 % interval over images, and what holds for all certificates of a sigma at once';

COMMENT ON COLUMN rrcm.report_interval.origin IS 'fleet: computed here, recomputable; imported: read from a log';

COMMENT ON COLUMN rrcm.report_interval.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';

COMMENT ON COLUMN rrcm.report_interval.name IS 'Name of the run';

COMMENT ON COLUMN rrcm.report_interval.sigma IS 'Noise level';

COMMENT ON COLUMN rrcm.report_interval.r IS 'L2 radius';

COMMENT ON COLUMN rrcm.report_interval.images IS 'Images of the run, or rows of the log: the denominator';

COMMENT ON COLUMN rrcm.report_interval.certified IS 'Those correct and certified at r or more';

COMMENT ON COLUMN rrcm.report_interval.accuracy_low IS 'Share of all images, unfinished counted wrong';

COMMENT ON COLUMN rrcm.report_interval.accuracy_high IS 'Share of all images, unfinished counted right';

COMMENT ON COLUMN rrcm.report_interval.interval_low IS 'Lower end of the two-sided 95 % interval for the share among all images of which these are a random sample';

COMMENT ON COLUMN rrcm.report_interval.interval_high IS 'Its upper end, unfinished images counted right';

COMMENT ON COLUMN rrcm.report_interval.false_certificates IS 'With probability 0.999 over the noise at most so many of the sigma''s certificates are false (exact binomial tail)';

COMMENT ON COLUMN rrcm.report_interval.certain_low IS 'accuracy_low less that many images: with probability 0.999 over the noise no more than the share truly robust at r';

CREATE VIEW rrcm.run_audit AS
SELECT
    NULL::bigint AS run_id,
    NULL::double precision AS audit_share,
    NULL::bigint AS due,
    NULL::bigint AS disputed,
    NULL::bigint AS agreed,
    NULL::bigint AS self_audited,
    NULL::bigint AS undecided,
    NULL::bigint AS provisional,
    NULL::bigint AS voided,
    NULL::bigint AS superseded;

COMMENT ON VIEW rrcm.run_audit IS 'One row per certification run: what was computed again, and what came of it';

COMMENT ON COLUMN rrcm.run_audit.run_id IS 'Run';

COMMENT ON COLUMN rrcm.run_audit.audit_share IS 'Share of chunks that is audited; 0 when nothing is';

COMMENT ON COLUMN rrcm.run_audit.due IS 'Audits that wait for a worker, or are being computed';

COMMENT ON COLUMN rrcm.run_audit.disputed IS 'Audits whose results differ and that are not settled yet';

COMMENT ON COLUMN rrcm.run_audit.agreed IS 'Chunks for which another worker found the same votes';

COMMENT ON COLUMN rrcm.run_audit.self_audited IS 'Chunks that only the worker which posted them computed again, in other batches: no other was there';

COMMENT ON COLUMN rrcm.run_audit.undecided IS 'Disputes that nothing could settle; their items are held';

COMMENT ON COLUMN rrcm.run_audit.provisional IS 'Certificates with an open audit';

COMMENT ON COLUMN rrcm.run_audit.voided IS 'Chunks whose votes were voided';

COMMENT ON COLUMN rrcm.run_audit.superseded IS 'Certificates that were taken back';

CREATE VIEW rrcm.run_detail AS
 SELECT run.run_id,
    run.name,
    run.kind,
    run.state,
    run.priority,
    run.spec,
    run.seed,
    run.dataset_digest,
    run.checkpoint_digest,
    run.depends_on,
    run.image_indices,
    run.numerics_ids,
    run.software,
    run.error,
    run.created_at,
    run.started_at,
    run.finished_at
   FROM rrcm.run;

COMMENT ON VIEW rrcm.run_detail IS 'Runs, each with its resolved run file';

COMMENT ON COLUMN rrcm.run_detail.run_id IS 'Number of the run';

COMMENT ON COLUMN rrcm.run_detail.name IS 'Name given by its run file';

COMMENT ON COLUMN rrcm.run_detail.kind IS 'What it does';

COMMENT ON COLUMN rrcm.run_detail.state IS 'submitted until the coordinator has planned it and what it depends on is done';

COMMENT ON COLUMN rrcm.run_detail.priority IS 'Higher is served first; equal ones share the workers'' time by weight';

COMMENT ON COLUMN rrcm.run_detail.spec IS 'The resolved run file; submitting it again repeats the run';

COMMENT ON COLUMN rrcm.run_detail.seed IS 'Seed of every random draw of the run';

COMMENT ON COLUMN rrcm.run_detail.dataset_digest IS 'Image set it reads';

COMMENT ON COLUMN rrcm.run_detail.checkpoint_digest IS 'Checkpoint it starts from; null for pretrain, and until the run it depends on is done';

COMMENT ON COLUMN rrcm.run_detail.depends_on IS 'Run whose checkpoint this one uses';

COMMENT ON COLUMN rrcm.run_detail.image_indices IS 'The certified images, always as an explicit list';

COMMENT ON COLUMN rrcm.run_detail.numerics_ids IS 'Numerics ids that may compute it; empty until named or taken from its first worker';

COMMENT ON COLUMN rrcm.run_detail.software IS 'Version of the software that submitted it';

COMMENT ON COLUMN rrcm.run_detail.error IS 'Why it failed';

COMMENT ON COLUMN rrcm.run_detail.created_at IS 'When it was submitted';

COMMENT ON COLUMN rrcm.run_detail.started_at IS 'When it was planned';

COMMENT ON COLUMN rrcm.run_detail.finished_at IS 'When it ended';

CREATE VIEW rrcm.run_progress AS
 SELECT r.run_id,
    r.name,
    r.kind,
    r.state,
    r.priority,
    COALESCE(j.step, items.finished, (0)::bigint) AS done,
    COALESCE(j.steps, items.total, (0)::bigint) AS total,
        CASE
            WHEN (j.job_id IS NULL) THEN 'items'::text
            ELSE 'steps'::text
        END AS unit,
    (votes.certified + votes.under_way) AS samples,
    COALESCE(items.held, (0)::bigint) AS held,
    votes.disagreements,
    r.numerics_ids,
    r.checkpoint_digest,
    r.dataset_digest,
    r.depends_on,
    r.error,
    r.created_at,
    r.started_at,
    r.finished_at,
    (EXTRACT(epoch FROM (COALESCE(r.finished_at, now()) - r.started_at)))::double precision AS elapsed_seconds,
    r.weight,
        CASE
            WHEN (r.finished_at IS NULL) THEN r.paused_at
            ELSE NULL::timestamp with time zone
        END AS paused_at,
        CASE
            WHEN (r.finished_at IS NULL) THEN r.stranded_at
            ELSE NULL::timestamp with time zone
        END AS stranded_at
   FROM ((((rrcm.run r
     LEFT JOIN rrcm.job j USING (run_id))
     LEFT JOIN rrcm.certification p USING (run_id))
     LEFT JOIN LATERAL ( SELECT count(*) AS total,
            count(*) FILTER (WHERE (i.state = 'certified'::rrcm.item_state)) AS finished,
            count(*) FILTER (WHERE (i.state = 'held'::rrcm.item_state)) AS held
           FROM rrcm.item i
          WHERE (i.run_id = r.run_id)
         HAVING (count(*) > 0)) items ON (true))
     CROSS JOIN LATERAL ( SELECT
                CASE
                    WHEN (p.looks = '{}'::integer[]) THEN (COALESCE(items.finished, (0)::bigint) * (p.n0 + p.n))
                    ELSE ( SELECT COALESCE(sum((c.n0 + c.n)), (0)::bigint) AS "coalesce"
                       FROM (rrcm.item i
                         JOIN rrcm.certificate c USING (item_id))
                      WHERE ((i.run_id = r.run_id) AND (i.state = 'certified'::rrcm.item_state)))
                END AS certified,
            ( SELECT COALESCE(sum(k.samples), (0)::bigint) AS "coalesce"
                   FROM rrcm.chunk_count k
                  WHERE (k.item_id = ANY (ARRAY( SELECT i.item_id
                           FROM rrcm.item i
                          WHERE ((i.run_id = r.run_id) AND (i.state <> 'certified'::rrcm.item_state) AND (i.next_unit > 0)))))) AS under_way,
            ( SELECT count(*) AS count
                   FROM (rrcm.disagreement d
                     JOIN rrcm.item i USING (item_id))
                  WHERE (i.run_id = r.run_id)) AS disagreements) votes);

COMMENT ON VIEW rrcm.run_progress IS 'One row per run: how far it is';

COMMENT ON COLUMN rrcm.run_progress.run_id IS 'Run';

COMMENT ON COLUMN rrcm.run_progress.name IS 'Name';

COMMENT ON COLUMN rrcm.run_progress.kind IS 'What it does';

COMMENT ON COLUMN rrcm.run_progress.state IS 'State of the run; failed with held items when some must not be certified';

COMMENT ON COLUMN rrcm.run_progress.priority IS 'Higher is served first; equal ones share the workers'' time by weight';

COMMENT ON COLUMN rrcm.run_progress.done IS 'Items certified, or training steps completed';

COMMENT ON COLUMN rrcm.run_progress.total IS 'Items, or training steps, in all';

COMMENT ON COLUMN rrcm.run_progress.unit IS 'What done and total count';

COMMENT ON COLUMN rrcm.run_progress.samples IS 'Noise samples drawn: those that its certificates rest on, and those stored for items under way';

COMMENT ON COLUMN rrcm.run_progress.held IS 'Items set aside without a certificate; rrcm.item.error says why';

COMMENT ON COLUMN rrcm.run_progress.disagreements IS 'Chunks computed twice with different votes';

COMMENT ON COLUMN rrcm.run_progress.numerics_ids IS 'Numerics ids that may compute it';

COMMENT ON COLUMN rrcm.run_progress.checkpoint_digest IS 'Checkpoint it uses';

COMMENT ON COLUMN rrcm.run_progress.dataset_digest IS 'Image set it reads';

COMMENT ON COLUMN rrcm.run_progress.depends_on IS 'Run it waits for';

COMMENT ON COLUMN rrcm.run_progress.error IS 'Why it failed';

COMMENT ON COLUMN rrcm.run_progress.created_at IS 'When it was submitted';

COMMENT ON COLUMN rrcm.run_progress.started_at IS 'When it was planned';

COMMENT ON COLUMN rrcm.run_progress.finished_at IS 'When it ended';

COMMENT ON COLUMN rrcm.run_progress.elapsed_seconds IS 'Seconds since it was planned, or until it ended';

COMMENT ON COLUMN rrcm.run_progress.weight IS 'Its share among runs of equal priority, in proportion';

COMMENT ON COLUMN rrcm.run_progress.paused_at IS 'Since when it is paused; null when it is not, or has ended';

COMMENT ON COLUMN rrcm.run_progress.stranded_at IS 'Since when work of it has no live worker of its numerics id, as the coordinator last saw';

ALTER TABLE rrcm.run ALTER COLUMN run_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.run_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW rrcm.samples_used AS
 SELECT i.run_id,
    i.sigma,
    count(*) AS finished,
    (sum(((c.n0)::bigint + c.n)))::bigint AS used,
    (sum(((stored.samples - c.n0) - c.n)))::bigint AS beyond,
    (sum(((p.n0)::bigint + p.n)))::bigint AS planned
   FROM (((rrcm.item i
     JOIN rrcm.certificate c USING (item_id))
     JOIN rrcm.certification p ON ((p.run_id = i.run_id)))
     CROSS JOIN LATERAL ( SELECT COALESCE(sum(k.samples), (0)::bigint) AS samples
           FROM rrcm.chunk_count k
          WHERE (k.item_id = i.item_id)) stored)
  WHERE (i.state = 'certified'::rrcm.item_state)
  GROUP BY i.run_id, i.sigma;

COMMENT ON VIEW rrcm.samples_used IS 'Per run and sigma, over the items with a certificate: samples that count, and what stopping early cost and saved';

COMMENT ON COLUMN rrcm.samples_used.run_id IS 'Run';

COMMENT ON COLUMN rrcm.samples_used.sigma IS 'Noise level';

COMMENT ON COLUMN rrcm.samples_used.finished IS 'Items with a certificate or an abstention';

COMMENT ON COLUMN rrcm.samples_used.used IS 'Samples that their certificates rest on, selection included';

COMMENT ON COLUMN rrcm.samples_used.beyond IS 'Samples computed beyond the deciding looks: on their way when the items stopped; they count nowhere';

COMMENT ON COLUMN rrcm.samples_used.planned IS 'Samples that all n draws would have taken';

CREATE TABLE rrcm.schema_migration (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE rrcm.schema_migration IS 'Migrations that this database has, written by rrcm migrate';

COMMENT ON COLUMN rrcm.schema_migration.version IS 'Number of the migration, 1, 2, 3…';

COMMENT ON COLUMN rrcm.schema_migration.name IS 'Name of the migration';

COMMENT ON COLUMN rrcm.schema_migration.checksum IS 'SHA-256 of the text that was applied';

COMMENT ON COLUMN rrcm.schema_migration.applied_at IS 'When it was applied';

CREATE VIEW rrcm.similar_run AS
 SELECT this.run_id,
    other.run_id AS other_run_id,
    other.name AS other_name,
    a.sigma
   FROM (((rrcm.run this
     JOIN rrcm.run other ON (((other.checkpoint_digest = this.checkpoint_digest) AND (other.dataset_digest = this.dataset_digest) AND (other.run_id <> this.run_id) AND ((other.image_indices = this.image_indices) OR (EXISTS ( SELECT unnest(this.image_indices) AS unnest
        INTERSECT
         SELECT unnest(other.image_indices) AS unnest))))))
     JOIN rrcm.certification_sigma a ON ((a.run_id = this.run_id)))
     JOIN rrcm.certification_sigma b ON (((b.run_id = other.run_id) AND (b.sigma = a.sigma))));

COMMENT ON VIEW rrcm.similar_run IS 'Other certification runs of the same checkpoint on some of the same images at the same sigma: choosing among them afterwards voids alpha';

COMMENT ON COLUMN rrcm.similar_run.run_id IS 'Run';

COMMENT ON COLUMN rrcm.similar_run.other_run_id IS 'Run that is like it';

COMMENT ON COLUMN rrcm.similar_run.other_name IS 'Its name';

COMMENT ON COLUMN rrcm.similar_run.sigma IS 'Noise level both certify at';

CREATE VIEW rrcm.stranded_item AS
 SELECT i.run_id,
    r.name AS run_name,
    i.item_id,
    i.image_index,
    i.sigma,
    i.state,
        CASE
            WHEN (i.numerics_id IS NULL) THEN r.numerics_ids
            ELSE ARRAY[i.numerics_id]
        END AS numerics_ids,
    (i.numerics_id IS NOT NULL) AS pinned
   FROM (rrcm.run r
     JOIN rrcm.item i USING (run_id))
  WHERE ((r.state = 'running'::rrcm.run_state) AND ((i.numerics_id IS NOT NULL) OR (r.numerics_ids <> '{}'::text[])) AND ((i.state = 'open'::rrcm.item_state) OR ((i.state = 'claimed'::rrcm.item_state) AND ((EXISTS ( SELECT
           FROM rrcm.gap g
          WHERE (g.item_id = i.item_id))) OR (EXISTS ( SELECT
           FROM rrcm.lease l
          WHERE (l.item_id = i.item_id))))) OR ((i.state = 'certified'::rrcm.item_state) AND (i.item_id IN ( SELECT a.item_id
           FROM rrcm.audit a
          WHERE ((a.run_id = r.run_id) AND (a.state = ANY (ARRAY['due'::rrcm.audit_state, 'disputed'::rrcm.audit_state]))))))) AND (NOT (EXISTS ( SELECT
           FROM rrcm.worker w
          WHERE ((w.state <> 'gone'::rrcm.worker_state) AND ((w.numerics_ids &&
                CASE
                    WHEN (i.numerics_id IS NULL) THEN r.numerics_ids
                    ELSE ARRAY[i.numerics_id]
                END) OR ((w.numerics_ids = '{}'::text[]) AND (w.registered_at > (now() - '00:01:00'::interval)))))))));

COMMENT ON VIEW rrcm.stranded_item IS 'Items with work left, votes or audits, that no live worker has shown to compute: they wait for a worker of their numerics id, or for rrcm run repin';

COMMENT ON COLUMN rrcm.stranded_item.run_id IS 'Run';

COMMENT ON COLUMN rrcm.stranded_item.run_name IS 'Name of the run';

COMMENT ON COLUMN rrcm.stranded_item.item_id IS 'Item';

COMMENT ON COLUMN rrcm.stranded_item.image_index IS 'Image';

COMMENT ON COLUMN rrcm.stranded_item.sigma IS 'Noise level';

COMMENT ON COLUMN rrcm.stranded_item.state IS 'State of the item';

COMMENT ON COLUMN rrcm.stranded_item.numerics_ids IS 'Numerics ids of which one must live: the one that the item is pinned to, else those of its run';

COMMENT ON COLUMN rrcm.stranded_item.pinned IS 'It has been claimed under its numerics id, and may have votes of it';

CREATE TABLE rrcm.sweep (
    sweep_id bigint NOT NULL,
    name text NOT NULL,
    state rrcm.sweep_state DEFAULT 'running'::rrcm.sweep_state NOT NULL,
    spec jsonb NOT NULL,
    method text NOT NULL,
    metric text NOT NULL,
    r double precision,
    sigma numeric,
    goal text NOT NULL,
    software text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT sweep_finished_or_finished_at_null CHECK (((state = 'running'::rrcm.sweep_state) = (finished_at IS NULL))),
    CONSTRAINT sweep_goal_known CHECK ((goal = ANY (ARRAY['maximize'::text, 'minimize'::text]))),
    CONSTRAINT sweep_metric_known CHECK (((metric = ANY (ARRAY['acr'::text, 'loss'::text])) OR (metric ~~ 'certified_accuracy@%'::text))),
    CONSTRAINT sweep_radius_not_negative CHECK ((r >= (0)::double precision)),
    CONSTRAINT sweep_radius_of_accuracy CHECK (((metric ~~ 'certified_accuracy@%'::text) = (r IS NOT NULL))),
    CONSTRAINT sweep_sigma_positive CHECK ((sigma > (0)::numeric))
);

COMMENT ON TABLE rrcm.sweep IS 'A set of trials from a search space, ranked by one metric';

COMMENT ON COLUMN rrcm.sweep.sweep_id IS 'Number of the sweep';

COMMENT ON COLUMN rrcm.sweep.name IS 'Name given by its sweep file; the runs of its trials begin with it';

COMMENT ON COLUMN rrcm.sweep.state IS 'running until every trial has ended';

COMMENT ON COLUMN rrcm.sweep.spec IS 'The complete sweep file, with the settings of its runs; creating it again under another name repeats it';

COMMENT ON COLUMN rrcm.sweep.method IS 'How trials are found: grid or random';

COMMENT ON COLUMN rrcm.sweep.metric IS 'What ranks the trials: certified_accuracy@R, acr or loss';

COMMENT ON COLUMN rrcm.sweep.r IS 'L2 radius of a certified accuracy';

COMMENT ON COLUMN rrcm.sweep.sigma IS 'Noise level at which the metric is measured; null: the only one that a trial certifies at';

COMMENT ON COLUMN rrcm.sweep.goal IS 'Whether more or less of the metric is better';

COMMENT ON COLUMN rrcm.sweep.software IS 'Version of the software that created it';

COMMENT ON COLUMN rrcm.sweep.created_at IS 'When it was created';

COMMENT ON COLUMN rrcm.sweep.finished_at IS 'When its last trial ended, or it was stopped';

CREATE TABLE rrcm.trial (
    trial_id bigint NOT NULL,
    sweep_id bigint NOT NULL,
    number integer NOT NULL,
    parameters jsonb NOT NULL,
    finetune_spec jsonb,
    certify_spec jsonb,
    confirm_spec jsonb,
    state rrcm.trial_state DEFAULT 'open'::rrcm.trial_state NOT NULL,
    attempt integer DEFAULT 1 NOT NULL,
    chosen boolean DEFAULT false NOT NULL,
    error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT trial_attempt_positive CHECK ((attempt > 0)),
    CONSTRAINT trial_chosen_to_confirm CHECK (((NOT chosen) OR (confirm_spec IS NOT NULL))),
    CONSTRAINT trial_does_something CHECK (((finetune_spec IS NOT NULL) OR (certify_spec IS NOT NULL))),
    CONSTRAINT trial_error_when_failed CHECK (((state <> 'failed'::rrcm.trial_state) OR (error IS NOT NULL))),
    CONSTRAINT trial_finished_or_finished_at_null CHECK (((state = 'open'::rrcm.trial_state) = (finished_at IS NULL))),
    CONSTRAINT trial_number_positive CHECK ((number > 0))
);

COMMENT ON TABLE rrcm.trial IS 'One point of a sweep''s search space; its work is the runs that trial_run names';

COMMENT ON COLUMN rrcm.trial.trial_id IS 'Number over all sweeps';

COMMENT ON COLUMN rrcm.trial.sweep_id IS 'Sweep';

COMMENT ON COLUMN rrcm.trial.number IS 'Number within the sweep';

COMMENT ON COLUMN rrcm.trial.parameters IS 'Value of every free parameter, by its path in the sweep file';

COMMENT ON COLUMN rrcm.trial.finetune_spec IS 'Resolved run file of the fine-tuning; null when the trial has none';

COMMENT ON COLUMN rrcm.trial.certify_spec IS 'Resolved run file of the certification; its checkpoint is the fine-tuning''s, where there is one';

COMMENT ON COLUMN rrcm.trial.confirm_spec IS 'Resolved run file of the certification on images that do not rank, in case this trial is the best';

COMMENT ON COLUMN rrcm.trial.state IS 'open while runs of it are to come or under way';

COMMENT ON COLUMN rrcm.trial.attempt IS 'Rises with each retry; earlier runs stay';

COMMENT ON COLUMN rrcm.trial.chosen IS 'Was the best when all had ended, and is certified once more on other images';

COMMENT ON COLUMN rrcm.trial.error IS 'Why it failed or was stopped';

COMMENT ON COLUMN rrcm.trial.created_at IS 'When it was created';

COMMENT ON COLUMN rrcm.trial.finished_at IS 'When it ended';

CREATE TABLE rrcm.trial_run (
    trial_id bigint NOT NULL,
    step rrcm.trial_step NOT NULL,
    attempt integer NOT NULL,
    run_id bigint NOT NULL
);

COMMENT ON TABLE rrcm.trial_run IS 'The runs of a trial; the key lets a step of an attempt have one run, whoever makes it';

COMMENT ON COLUMN rrcm.trial_run.trial_id IS 'Trial';

COMMENT ON COLUMN rrcm.trial_run.step IS 'What the run is to the trial';

COMMENT ON COLUMN rrcm.trial_run.attempt IS 'Attempt of the trial that it belongs to';

COMMENT ON COLUMN rrcm.trial_run.run_id IS 'Run';

CREATE VIEW rrcm.sweep_progress AS
 SELECT s.sweep_id,
    s.name,
    s.state,
    s.method,
    s.metric,
    s.sigma,
    s.goal,
    trials.total AS trials,
    trials.done,
    trials.failed,
    trials.stopped,
    trials.open,
    COALESCE(work.running, (0)::bigint) AS running,
        CASE
            WHEN (trials.total = 0) THEN (0)::double precision
            ELSE (((trials.ended)::double precision + COALESCE(work.share, (0)::double precision)) / (trials.total)::double precision)
        END AS share,
    s.created_at,
    s.finished_at,
    (EXTRACT(epoch FROM (COALESCE(s.finished_at, now()) - s.created_at)))::double precision AS elapsed_seconds
   FROM ((rrcm.sweep s
     CROSS JOIN LATERAL ( SELECT count(*) AS total,
            count(*) FILTER (WHERE (t.state = 'done'::rrcm.trial_state)) AS done,
            count(*) FILTER (WHERE (t.state = 'failed'::rrcm.trial_state)) AS failed,
            count(*) FILTER (WHERE (t.state = 'stopped'::rrcm.trial_state)) AS stopped,
            count(*) FILTER (WHERE (t.state = 'open'::rrcm.trial_state)) AS open,
            count(*) FILTER (WHERE (t.state <> 'open'::rrcm.trial_state)) AS ended
           FROM rrcm.trial t
          WHERE (t.sweep_id = s.sweep_id)) trials)
     LEFT JOIN LATERAL ( SELECT count(*) FILTER (WHERE ((p.state = 'running'::rrcm.run_state) AND (p.done > 0))) AS running,
            sum((
                CASE
                    WHEN (p.state = 'done'::rrcm.run_state) THEN (1)::double precision
                    WHEN ((p.total > 0) AND (p.state = ANY (ARRAY['submitted'::rrcm.run_state, 'running'::rrcm.run_state]))) THEN ((p.done)::double precision / (p.total)::double precision)
                    ELSE (0)::double precision
                END / ((num_nonnulls(t.finetune_spec, t.certify_spec) + (t.chosen)::integer))::double precision)) AS share
           FROM ((rrcm.trial t
             JOIN rrcm.trial_run tr USING (trial_id))
             JOIN rrcm.run_progress p USING (run_id))
          WHERE ((t.sweep_id = s.sweep_id) AND (t.state = 'open'::rrcm.trial_state))) work ON (true));

COMMENT ON VIEW rrcm.sweep_progress IS 'One row per sweep: how far it is';

COMMENT ON COLUMN rrcm.sweep_progress.sweep_id IS 'Sweep';

COMMENT ON COLUMN rrcm.sweep_progress.name IS 'Name';

COMMENT ON COLUMN rrcm.sweep_progress.state IS 'State';

COMMENT ON COLUMN rrcm.sweep_progress.method IS 'How trials are found';

COMMENT ON COLUMN rrcm.sweep_progress.metric IS 'What ranks the trials';

COMMENT ON COLUMN rrcm.sweep_progress.sigma IS 'Noise level at which the metric is measured, if named';

COMMENT ON COLUMN rrcm.sweep_progress.goal IS 'Whether more or less of the metric is better';

COMMENT ON COLUMN rrcm.sweep_progress.trials IS 'Trials';

COMMENT ON COLUMN rrcm.sweep_progress.done IS 'Trials that are done';

COMMENT ON COLUMN rrcm.sweep_progress.failed IS 'Trials that failed';

COMMENT ON COLUMN rrcm.sweep_progress.stopped IS 'Trials that were stopped';

COMMENT ON COLUMN rrcm.sweep_progress.open IS 'Trials that have not ended';

COMMENT ON COLUMN rrcm.sweep_progress.running IS 'Runs under way';

COMMENT ON COLUMN rrcm.sweep_progress.share IS 'Share of the work that is done, 0 to 1, each run of a trial weighing the same';

COMMENT ON COLUMN rrcm.sweep_progress.created_at IS 'When it was created';

COMMENT ON COLUMN rrcm.sweep_progress.finished_at IS 'When it ended';

COMMENT ON COLUMN rrcm.sweep_progress.elapsed_seconds IS 'Seconds since it was created, or until it ended';

CREATE VIEW rrcm.sweep_run AS
 SELECT s.sweep_id,
    s.name AS sweep_name,
    t.trial_id,
    t.number AS trial,
    tr.step,
    tr.attempt,
    tr.run_id,
    r.name AS run_name,
    r.state,
    r.error,
    COALESCE(j.checkpoint_digest, r.checkpoint_digest) AS checkpoint_digest,
    r.created_at,
    r.started_at,
    r.finished_at
   FROM ((((rrcm.trial_run tr
     JOIN rrcm.trial t USING (trial_id))
     JOIN rrcm.sweep s USING (sweep_id))
     JOIN rrcm.run r USING (run_id))
     LEFT JOIN rrcm.job j USING (run_id));

COMMENT ON VIEW rrcm.sweep_run IS 'One row per run of a trial, failed attempts included';

COMMENT ON COLUMN rrcm.sweep_run.sweep_id IS 'Sweep';

COMMENT ON COLUMN rrcm.sweep_run.sweep_name IS 'Name of the sweep';

COMMENT ON COLUMN rrcm.sweep_run.trial_id IS 'Trial, numbered over all sweeps';

COMMENT ON COLUMN rrcm.sweep_run.trial IS 'Number of the trial within the sweep';

COMMENT ON COLUMN rrcm.sweep_run.step IS 'What the run is to the trial';

COMMENT ON COLUMN rrcm.sweep_run.attempt IS 'Attempt of the trial that it belongs to';

COMMENT ON COLUMN rrcm.sweep_run.run_id IS 'Run';

COMMENT ON COLUMN rrcm.sweep_run.run_name IS 'Name of the run';

COMMENT ON COLUMN rrcm.sweep_run.state IS 'State of the run';

COMMENT ON COLUMN rrcm.sweep_run.error IS 'Why the run failed';

COMMENT ON COLUMN rrcm.sweep_run.checkpoint_digest IS 'Checkpoint that a fine-tuning made, or that a certification uses';

COMMENT ON COLUMN rrcm.sweep_run.created_at IS 'When the run was submitted';

COMMENT ON COLUMN rrcm.sweep_run.started_at IS 'When the run was planned';

COMMENT ON COLUMN rrcm.sweep_run.finished_at IS 'When the run ended';

ALTER TABLE rrcm.sweep ALTER COLUMN sweep_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.sweep_sweep_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW rrcm.sweep_trial AS
 WITH current AS (
         SELECT DISTINCT ON (sweep_run.trial_id, sweep_run.step) sweep_run.trial_id,
            sweep_run.step,
            sweep_run.run_id,
            sweep_run.state,
            sweep_run.checkpoint_digest
           FROM rrcm.sweep_run
          ORDER BY sweep_run.trial_id, sweep_run.step, (sweep_run.state = 'done'::rrcm.run_state) DESC, sweep_run.attempt DESC
        )
 SELECT s.sweep_id,
    s.name AS sweep_name,
    t.trial_id,
    t.number AS trial,
        CASE
            WHEN (ranked.value IS NOT NULL) THEN rank() OVER (PARTITION BY s.sweep_id ORDER BY
            CASE s.goal
                WHEN 'minimize'::text THEN ranked.value
                ELSE (- ranked.value)
            END, result.acr DESC NULLS LAST)
            ELSE NULL::bigint
        END AS rank,
    ranked.value,
    s.metric,
    t.parameters,
    t.state,
        CASE
            WHEN (t.state = 'open'::rrcm.trial_state) THEN COALESCE(confirm.step, certify.step, finetune.step)
            ELSE NULL::rrcm.trial_step
        END AS step,
    t.attempt,
    level.sigma,
    result.certified_accuracy,
    result.acr,
    result.loss,
    t.chosen,
    result.confirmed_accuracy,
    result.confirmed_acr,
    finetune.run_id AS finetune_run_id,
    certify.run_id AS certify_run_id,
    confirm.run_id AS confirm_run_id,
    COALESCE(certify.checkpoint_digest,
        CASE
            WHEN (finetune.state = 'done'::rrcm.run_state) THEN finetune.checkpoint_digest
            ELSE NULL::text
        END) AS checkpoint_digest,
    t.error,
    t.created_at,
    t.finished_at
   FROM (((((((rrcm.trial t
     JOIN rrcm.sweep s USING (sweep_id))
     LEFT JOIN current finetune ON (((finetune.trial_id = t.trial_id) AND (finetune.step = 'finetune'::rrcm.trial_step))))
     LEFT JOIN current certify ON (((certify.trial_id = t.trial_id) AND (certify.step = 'certify'::rrcm.trial_step))))
     LEFT JOIN current confirm ON (((confirm.trial_id = t.trial_id) AND (confirm.step = 'confirm'::rrcm.trial_step))))
     CROSS JOIN LATERAL ( SELECT COALESCE(s.sigma, min(c.sigma)) AS sigma
           FROM rrcm.certification_sigma c
          WHERE (c.run_id = certify.run_id)) level)
     CROSS JOIN LATERAL ( SELECT rrcm.certified_accuracy(certify.run_id, level.sigma, s.r) AS certified_accuracy,
            rrcm.average_certified_radius(certify.run_id, level.sigma) AS acr,
            rrcm.certified_accuracy(confirm.run_id, level.sigma, s.r) AS confirmed_accuracy,
            rrcm.average_certified_radius(confirm.run_id, level.sigma) AS confirmed_acr,
            ( SELECT m.value
                   FROM rrcm.metric m
                  WHERE ((m.run_id = finetune.run_id) AND (m.name = 'loss'::text) AND (finetune.state = 'done'::rrcm.run_state))
                  ORDER BY m.step DESC
                 LIMIT 1) AS loss) result)
     CROSS JOIN LATERAL ( SELECT
                CASE s.metric
                    WHEN 'loss'::text THEN result.loss
                    WHEN 'acr'::text THEN result.acr
                    ELSE result.certified_accuracy
                END AS value) ranked);

COMMENT ON VIEW rrcm.sweep_trial IS 'One row per trial, ranked by its sweep''s metric; rrcm.sweep_query gives the parameters as columns. The best of many is chosen on the images of its certify run, where its accuracy is therefore flattered';

COMMENT ON COLUMN rrcm.sweep_trial.sweep_id IS 'Sweep';

COMMENT ON COLUMN rrcm.sweep_trial.sweep_name IS 'Name of the sweep';

COMMENT ON COLUMN rrcm.sweep_trial.trial_id IS 'Trial, numbered over all sweeps';

COMMENT ON COLUMN rrcm.sweep_trial.trial IS 'Number of the trial within the sweep';

COMMENT ON COLUMN rrcm.sweep_trial.rank IS '1 is best; equal values are told apart by acr, else share a rank; null until measured';

COMMENT ON COLUMN rrcm.sweep_trial.value IS 'The sweep''s metric; null until the run that measures it is done';

COMMENT ON COLUMN rrcm.sweep_trial.metric IS 'What value is';

COMMENT ON COLUMN rrcm.sweep_trial.parameters IS 'Value of every free parameter, by its path in the sweep file';

COMMENT ON COLUMN rrcm.sweep_trial.state IS 'State of the trial';

COMMENT ON COLUMN rrcm.sweep_trial.step IS 'Latest run of an open trial; null while it waits for its first, and when it has ended';

COMMENT ON COLUMN rrcm.sweep_trial.attempt IS 'Attempt; rises with each retry';

COMMENT ON COLUMN rrcm.sweep_trial.sigma IS 'Noise level of the certified columns';

COMMENT ON COLUMN rrcm.sweep_trial.certified_accuracy IS 'Certified accuracy at the sweep''s radius';

COMMENT ON COLUMN rrcm.sweep_trial.acr IS 'Average certified radius, wrong and abstained images counting 0';

COMMENT ON COLUMN rrcm.sweep_trial.loss IS 'Newest training loss of the fine-tuning';

COMMENT ON COLUMN rrcm.sweep_trial.chosen IS 'Was the best when all had ended';

COMMENT ON COLUMN rrcm.sweep_trial.confirmed_accuracy IS 'Certified accuracy on images that had no say in the ranking';

COMMENT ON COLUMN rrcm.sweep_trial.confirmed_acr IS 'Average certified radius on those images';

COMMENT ON COLUMN rrcm.sweep_trial.finetune_run_id IS 'Its fine-tuning: the one that is done, else the newest';

COMMENT ON COLUMN rrcm.sweep_trial.certify_run_id IS 'Its certification: the one that is done, else the newest';

COMMENT ON COLUMN rrcm.sweep_trial.confirm_run_id IS 'Its certification on other images';

COMMENT ON COLUMN rrcm.sweep_trial.checkpoint_digest IS 'Checkpoint that it made and certifies';

COMMENT ON COLUMN rrcm.sweep_trial.error IS 'Why it failed or was stopped';

COMMENT ON COLUMN rrcm.sweep_trial.created_at IS 'When it was created';

COMMENT ON COLUMN rrcm.sweep_trial.finished_at IS 'When it ended';

CREATE VIEW rrcm.trial_accuracy AS
 SELECT t.sweep_id,
    t.sweep_name,
    t.trial,
    t.parameters,
    a.run_id,
    a.sigma,
    a.r,
    a.items,
    a.finished,
    a.certified,
    a.accuracy,
    a.accuracy_low,
    a.accuracy_high
   FROM (rrcm.sweep_trial t
     JOIN rrcm.accuracy_at_radius a ON ((a.run_id = t.certify_run_id)));

COMMENT ON VIEW rrcm.trial_accuracy IS 'Certified accuracy of every trial at every sigma and r = 0, 0.05, 0.10, …, to rank trials at another radius than the sweep''s';

COMMENT ON COLUMN rrcm.trial_accuracy.sweep_id IS 'Sweep';

COMMENT ON COLUMN rrcm.trial_accuracy.sweep_name IS 'Name of the sweep';

COMMENT ON COLUMN rrcm.trial_accuracy.trial IS 'Number of the trial within the sweep';

COMMENT ON COLUMN rrcm.trial_accuracy.parameters IS 'Value of every free parameter';

COMMENT ON COLUMN rrcm.trial_accuracy.run_id IS 'Its certification';

COMMENT ON COLUMN rrcm.trial_accuracy.sigma IS 'Noise level';

COMMENT ON COLUMN rrcm.trial_accuracy.r IS 'L2 radius';

COMMENT ON COLUMN rrcm.trial_accuracy.items IS 'Images of the run at this sigma';

COMMENT ON COLUMN rrcm.trial_accuracy.finished IS 'Those with a certificate or an abstention';

COMMENT ON COLUMN rrcm.trial_accuracy.certified IS 'Those correct and certified at r or more';

COMMENT ON COLUMN rrcm.trial_accuracy.accuracy IS 'Share of the finished; biased while the run is unfinished';

COMMENT ON COLUMN rrcm.trial_accuracy.accuracy_low IS 'Share of all, unfinished counted wrong';

COMMENT ON COLUMN rrcm.trial_accuracy.accuracy_high IS 'Share of all, unfinished counted right';

ALTER TABLE rrcm.trial ALTER COLUMN trial_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.trial_trial_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW rrcm.work_attempt AS
 SELECT a.run_id,
    r.name AS run_name,
    a.item_id,
    i.image_index,
    i.sigma,
    a.unit,
    w.name AS worker_name,
    a.worker_id,
    a.epoch,
    a.outcome,
    a.alone,
    a.error,
    a.at,
    a.retried_at
   FROM (((rrcm.failed_attempt a
     JOIN rrcm.run r USING (run_id))
     JOIN rrcm.worker w USING (worker_id))
     LEFT JOIN rrcm.item i USING (item_id));

COMMENT ON VIEW rrcm.work_attempt IS 'Failed attempts at items and trainings, with the names of what they were at';

COMMENT ON COLUMN rrcm.work_attempt.run_id IS 'Run';

COMMENT ON COLUMN rrcm.work_attempt.run_name IS 'Name of the run';

COMMENT ON COLUMN rrcm.work_attempt.item_id IS 'Item; null for a training';

COMMENT ON COLUMN rrcm.work_attempt.image_index IS 'Image; null for a training';

COMMENT ON COLUMN rrcm.work_attempt.sigma IS 'Noise level; null for a training';

COMMENT ON COLUMN rrcm.work_attempt.unit IS 'First unit of the lease without votes';

COMMENT ON COLUMN rrcm.work_attempt.worker_name IS 'Worker that held it';

COMMENT ON COLUMN rrcm.work_attempt.worker_id IS 'Its number';

COMMENT ON COLUMN rrcm.work_attempt.epoch IS 'Its epoch then';

COMMENT ON COLUMN rrcm.work_attempt.outcome IS 'How it ended';

COMMENT ON COLUMN rrcm.work_attempt.alone IS 'The worker held nothing else';

COMMENT ON COLUMN rrcm.work_attempt.error IS 'What happened, in a sentence';

COMMENT ON COLUMN rrcm.work_attempt.at IS 'When it was noticed';

COMMENT ON COLUMN rrcm.work_attempt.retried_at IS 'When a person had it tried again';

CREATE VIEW rrcm.worker_health AS
SELECT
    NULL::bigint AS worker_id,
    NULL::text AS name,
    NULL::integer AS epoch,
    NULL::rrcm.worker_state AS state,
    NULL::text AS host,
    NULL::integer AS pid,
    NULL::text AS device,
    NULL::text AS software,
    NULL::double precision AS samples_per_second,
    NULL::double precision AS silent_seconds,
    NULL::bigint AS leases,
    NULL::bigint AS training_run_id,
    NULL::timestamp with time zone AS registered_at;

COMMENT ON VIEW rrcm.worker_health IS 'One row per worker: alive or not, how fast, what it holds';

COMMENT ON COLUMN rrcm.worker_health.worker_id IS 'Worker';

COMMENT ON COLUMN rrcm.worker_health.name IS 'Name';

COMMENT ON COLUMN rrcm.worker_health.epoch IS 'How often this name has registered; what an earlier epoch held is not its own any more';

COMMENT ON COLUMN rrcm.worker_health.state IS 'live, draining, or gone: also when it was silent for too long';

COMMENT ON COLUMN rrcm.worker_health.host IS 'Machine';

COMMENT ON COLUMN rrcm.worker_health.pid IS 'Process';

COMMENT ON COLUMN rrcm.worker_health.device IS 'What it computes with';

COMMENT ON COLUMN rrcm.worker_health.software IS 'Version';

COMMENT ON COLUMN rrcm.worker_health.samples_per_second IS 'Measured speed on its current run';

COMMENT ON COLUMN rrcm.worker_health.silent_seconds IS 'Seconds since its last heartbeat';

COMMENT ON COLUMN rrcm.worker_health.leases IS 'Leases it holds';

COMMENT ON COLUMN rrcm.worker_health.training_run_id IS 'Training run it holds';

COMMENT ON COLUMN rrcm.worker_health.registered_at IS 'When this epoch began';

ALTER TABLE rrcm.worker ALTER COLUMN worker_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME rrcm.worker_worker_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY rrcm.audit_computation
    ADD CONSTRAINT audit_computation_pkey PRIMARY KEY (audit_id, worker_id);

ALTER TABLE ONLY rrcm.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (audit_id);

ALTER TABLE ONLY rrcm.audit_salt
    ADD CONSTRAINT audit_salt_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY rrcm.canary_check
    ADD CONSTRAINT canary_check_pkey PRIMARY KEY (audit_id, worker_id);

ALTER TABLE ONLY rrcm.canary
    ADD CONSTRAINT canary_pkey PRIMARY KEY (checkpoint_digest, numerics_id);

ALTER TABLE ONLY rrcm.certificate
    ADD CONSTRAINT certificate_pkey PRIMARY KEY (item_id);

ALTER TABLE ONLY rrcm.certificate_superseded
    ADD CONSTRAINT certificate_superseded_pkey PRIMARY KEY (item_id, superseded_at);

ALTER TABLE ONLY rrcm.certification
    ADD CONSTRAINT certification_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY rrcm.certification_sigma
    ADD CONSTRAINT certification_sigma_pkey PRIMARY KEY (run_id, sigma);

ALTER TABLE ONLY rrcm.checkpoint_name
    ADD CONSTRAINT checkpoint_name_pkey PRIMARY KEY (name, checkpoint_digest);

ALTER TABLE ONLY rrcm.checkpoint
    ADD CONSTRAINT checkpoint_pkey PRIMARY KEY (checkpoint_digest);

ALTER TABLE ONLY rrcm.chunk_count
    ADD CONSTRAINT chunk_count_pkey PRIMARY KEY (item_id, phase, chunk);

ALTER TABLE ONLY rrcm.chunk_count_void
    ADD CONSTRAINT chunk_count_void_pkey PRIMARY KEY (item_id, phase, chunk, voided_at);

ALTER TABLE ONLY rrcm.dataset_image
    ADD CONSTRAINT dataset_image_pkey PRIMARY KEY (dataset_digest, image_index);

ALTER TABLE ONLY rrcm.dataset
    ADD CONSTRAINT dataset_name_unique UNIQUE (name);

ALTER TABLE ONLY rrcm.dataset
    ADD CONSTRAINT dataset_pkey PRIMARY KEY (dataset_digest);

ALTER TABLE ONLY rrcm.disagreement
    ADD CONSTRAINT disagreement_pkey PRIMARY KEY (disagreement_id);

ALTER TABLE ONLY rrcm.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (event_id);

ALTER TABLE ONLY rrcm.failed_attempt
    ADD CONSTRAINT failed_attempt_pkey PRIMARY KEY (attempt_id);

ALTER TABLE ONLY rrcm.gap
    ADD CONSTRAINT gap_pkey PRIMARY KEY (gap_id);

ALTER TABLE ONLY rrcm.imported_certificate
    ADD CONSTRAINT imported_certificate_image_once UNIQUE (import_id, sigma, image_index);

ALTER TABLE ONLY rrcm.imported_certificate
    ADD CONSTRAINT imported_certificate_pkey PRIMARY KEY (import_id, sigma, row_number);

ALTER TABLE ONLY rrcm.imported_log
    ADD CONSTRAINT imported_log_pkey PRIMARY KEY (import_id, sigma);

ALTER TABLE ONLY rrcm.imported_run
    ADD CONSTRAINT imported_run_name_unique UNIQUE (name);

ALTER TABLE ONLY rrcm.imported_run
    ADD CONSTRAINT imported_run_pkey PRIMARY KEY (import_id);

ALTER TABLE ONLY rrcm.item
    ADD CONSTRAINT item_once_per_run UNIQUE (run_id, image_index, sigma);

ALTER TABLE ONLY rrcm.item
    ADD CONSTRAINT item_pkey PRIMARY KEY (item_id);

ALTER TABLE ONLY rrcm.job
    ADD CONSTRAINT job_one_per_run UNIQUE (run_id);

ALTER TABLE ONLY rrcm.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (job_id);

ALTER TABLE ONLY rrcm.leadership
    ADD CONSTRAINT leadership_pkey PRIMARY KEY (single);

ALTER TABLE ONLY rrcm.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (lease_id);

ALTER TABLE ONLY rrcm.metric
    ADD CONSTRAINT metric_pkey PRIMARY KEY (run_id, name, step);

ALTER TABLE ONLY rrcm.part
    ADD CONSTRAINT part_pkey PRIMARY KEY (part_id);

ALTER TABLE ONLY rrcm.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY rrcm.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (version);

ALTER TABLE ONLY rrcm.sweep
    ADD CONSTRAINT sweep_name_unique UNIQUE (name);

ALTER TABLE ONLY rrcm.sweep
    ADD CONSTRAINT sweep_pkey PRIMARY KEY (sweep_id);

ALTER TABLE ONLY rrcm.trial
    ADD CONSTRAINT trial_number_once UNIQUE (sweep_id, number);

ALTER TABLE ONLY rrcm.trial
    ADD CONSTRAINT trial_pkey PRIMARY KEY (trial_id);

ALTER TABLE ONLY rrcm.trial
    ADD CONSTRAINT trial_point_once UNIQUE (sweep_id, parameters);

ALTER TABLE ONLY rrcm.trial_run
    ADD CONSTRAINT trial_run_belongs_to_one UNIQUE (run_id);

ALTER TABLE ONLY rrcm.trial_run
    ADD CONSTRAINT trial_run_pkey PRIMARY KEY (trial_id, step, attempt);

ALTER TABLE ONLY rrcm.worker
    ADD CONSTRAINT worker_name_unique UNIQUE (name);

ALTER TABLE ONLY rrcm.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (worker_id);

CREATE INDEX audit_item ON rrcm.audit USING btree (item_id);

CREATE UNIQUE INDEX audit_once ON rrcm.audit USING btree (item_id, phase, chunk) WHERE (state <> 'void'::rrcm.audit_state);

CREATE INDEX audit_open ON rrcm.audit USING btree (run_id, audit_id) WHERE (state = ANY (ARRAY['due'::rrcm.audit_state, 'disputed'::rrcm.audit_state]));

CREATE INDEX audit_poster ON rrcm.audit USING btree (run_id, poster_id);

CREATE INDEX disagreement_item ON rrcm.disagreement USING btree (item_id);

CREATE INDEX disagreement_unsettled ON rrcm.disagreement USING btree (disagreement_id) WHERE (audit_id IS NULL);

CREATE INDEX event_at ON rrcm.event USING btree (at);

CREATE INDEX failed_attempt_item ON rrcm.failed_attempt USING btree (item_id) WHERE (item_id IS NOT NULL);

CREATE INDEX failed_attempt_run ON rrcm.failed_attempt USING btree (run_id);

CREATE INDEX gap_item ON rrcm.gap USING btree (item_id);

CREATE INDEX gap_run ON rrcm.gap USING btree (run_id, gap_id);

CREATE INDEX item_claimed ON rrcm.item USING btree (run_id, item_id) WHERE (state = 'claimed'::rrcm.item_state);

CREATE INDEX item_open ON rrcm.item USING btree (run_id, item_id) WHERE (state = 'open'::rrcm.item_state);

CREATE INDEX job_queued ON rrcm.job USING btree (job_id) WHERE (state = 'queued'::rrcm.job_state);

CREATE INDEX job_running ON rrcm.job USING btree (worker_id) WHERE (state = 'running'::rrcm.job_state);

CREATE INDEX lease_duplicate ON rrcm.lease USING btree (item_id) WHERE duplicate;

CREATE INDEX lease_item ON rrcm.lease USING btree (item_id);

CREATE INDEX lease_worker ON rrcm.lease USING btree (worker_id);

CREATE INDEX run_name ON rrcm.run USING btree (name);

CREATE INDEX run_unfinished ON rrcm.run USING btree (priority DESC, run_id) WHERE (finished_at IS NULL);

CREATE INDEX trial_open ON rrcm.trial USING btree (sweep_id, number) WHERE (state = 'open'::rrcm.trial_state);

CREATE OR REPLACE VIEW rrcm.image_cost AS
 SELECT i.run_id,
    r.name AS run_name,
    i.item_id,
    i.sigma,
    i.image_index,
    i.state,
    count(*) AS chunks,
    sum(k.samples) AS samples,
    ((sum(k.compute_ms))::double precision / (1000)::double precision) AS compute_seconds,
    (((1000 * sum(k.samples)))::double precision / (NULLIF(sum(k.compute_ms), (0)::double precision))::double precision) AS samples_per_second,
    count(DISTINCT k.worker_id) AS workers,
    (EXTRACT(epoch FROM (max(k.posted_at) - min(k.posted_at))))::double precision AS elapsed_seconds
   FROM ((rrcm.item i
     JOIN rrcm.run r USING (run_id))
     JOIN rrcm.chunk_count k USING (item_id))
  GROUP BY i.item_id, r.run_id;

CREATE OR REPLACE VIEW rrcm.run_audit AS
 SELECT p.run_id,
    p.audit_share,
    count(a.audit_id) FILTER (WHERE (a.state = 'due'::rrcm.audit_state)) AS due,
    count(a.audit_id) FILTER (WHERE (a.state = 'disputed'::rrcm.audit_state)) AS disputed,
    count(a.audit_id) FILTER (WHERE (a.state = 'agreed'::rrcm.audit_state)) AS agreed,
    count(a.audit_id) FILTER (WHERE (a.state = 'self_audited'::rrcm.audit_state)) AS self_audited,
    count(a.audit_id) FILTER (WHERE (a.state = 'undecided'::rrcm.audit_state)) AS undecided,
    count(DISTINCT a.item_id) FILTER (WHERE ((a.state = ANY (ARRAY['due'::rrcm.audit_state, 'disputed'::rrcm.audit_state])) AND (i.state = 'certified'::rrcm.item_state))) AS provisional,
    ( SELECT count(*) AS count
           FROM (rrcm.chunk_count_void v
             JOIN rrcm.item vi USING (item_id))
          WHERE (vi.run_id = p.run_id)) AS voided,
    ( SELECT count(*) AS count
           FROM (rrcm.certificate_superseded s
             JOIN rrcm.item si USING (item_id))
          WHERE (si.run_id = p.run_id)) AS superseded
   FROM ((rrcm.certification p
     LEFT JOIN rrcm.audit a USING (run_id))
     LEFT JOIN rrcm.item i ON ((i.item_id = a.item_id)))
  GROUP BY p.run_id;

CREATE OR REPLACE VIEW rrcm.worker_health AS
 SELECT w.worker_id,
    w.name,
    w.epoch,
    w.state,
    w.host,
    w.pid,
    w.device,
    w.software,
    w.samples_per_second,
    (EXTRACT(epoch FROM (now() - w.beat_at)))::double precision AS silent_seconds,
    count(l.lease_id) AS leases,
    j.run_id AS training_run_id,
    w.registered_at
   FROM ((rrcm.worker w
     LEFT JOIN rrcm.lease l USING (worker_id))
     LEFT JOIN rrcm.job j ON (((j.worker_id = w.worker_id) AND (j.state = 'running'::rrcm.job_state))))
  GROUP BY w.worker_id, j.run_id;

CREATE TRIGGER audit_computation_append_only BEFORE UPDATE ON rrcm.audit_computation FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();

CREATE TRIGGER certificate_superseded_append_only BEFORE UPDATE ON rrcm.certificate_superseded FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();

CREATE TRIGGER chunk_count_append_only BEFORE UPDATE ON rrcm.chunk_count FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();

CREATE TRIGGER chunk_count_void_append_only BEFORE UPDATE ON rrcm.chunk_count_void FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();

CREATE TRIGGER imported_certificate_append_only BEFORE UPDATE ON rrcm.imported_certificate FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();

ALTER TABLE ONLY rrcm.audit_computation
    ADD CONSTRAINT audit_computation_audit_id_fkey FOREIGN KEY (audit_id) REFERENCES rrcm.audit(audit_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.audit_computation
    ADD CONSTRAINT audit_computation_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.audit
    ADD CONSTRAINT audit_holder_id_fkey FOREIGN KEY (holder_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.audit
    ADD CONSTRAINT audit_item_id_fkey FOREIGN KEY (item_id) REFERENCES rrcm.item(item_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.audit
    ADD CONSTRAINT audit_poster_id_fkey FOREIGN KEY (poster_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.audit
    ADD CONSTRAINT audit_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.run(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.audit_salt
    ADD CONSTRAINT audit_salt_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.certification(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.canary_check
    ADD CONSTRAINT canary_check_audit_id_fkey FOREIGN KEY (audit_id) REFERENCES rrcm.audit(audit_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.canary_check
    ADD CONSTRAINT canary_check_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.canary
    ADD CONSTRAINT canary_checkpoint_digest_fkey FOREIGN KEY (checkpoint_digest) REFERENCES rrcm.checkpoint(checkpoint_digest) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.canary
    ADD CONSTRAINT canary_first_worker_id_fkey FOREIGN KEY (first_worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.canary
    ADD CONSTRAINT canary_second_worker_id_fkey FOREIGN KEY (second_worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.certificate
    ADD CONSTRAINT certificate_item_id_fkey FOREIGN KEY (item_id) REFERENCES rrcm.item(item_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.certificate_superseded
    ADD CONSTRAINT certificate_superseded_item_id_fkey FOREIGN KEY (item_id) REFERENCES rrcm.item(item_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.certification
    ADD CONSTRAINT certification_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.run(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.certification_sigma
    ADD CONSTRAINT certification_sigma_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.certification(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.checkpoint_name
    ADD CONSTRAINT checkpoint_name_checkpoint_digest_fkey FOREIGN KEY (checkpoint_digest) REFERENCES rrcm.checkpoint(checkpoint_digest) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.checkpoint
    ADD CONSTRAINT checkpoint_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.run(run_id);

ALTER TABLE ONLY rrcm.chunk_count
    ADD CONSTRAINT chunk_count_item_id_fkey FOREIGN KEY (item_id) REFERENCES rrcm.item(item_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.chunk_count_void
    ADD CONSTRAINT chunk_count_void_item_id_fkey FOREIGN KEY (item_id) REFERENCES rrcm.item(item_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.chunk_count_void
    ADD CONSTRAINT chunk_count_void_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.chunk_count
    ADD CONSTRAINT chunk_count_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.dataset_image
    ADD CONSTRAINT dataset_image_dataset_digest_fkey FOREIGN KEY (dataset_digest) REFERENCES rrcm.dataset(dataset_digest) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.disagreement
    ADD CONSTRAINT disagreement_audit_id_fkey FOREIGN KEY (audit_id) REFERENCES rrcm.audit(audit_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.disagreement
    ADD CONSTRAINT disagreement_item_id_fkey FOREIGN KEY (item_id) REFERENCES rrcm.item(item_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.disagreement
    ADD CONSTRAINT disagreement_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.failed_attempt
    ADD CONSTRAINT failed_attempt_item_id_fkey FOREIGN KEY (item_id) REFERENCES rrcm.item(item_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.failed_attempt
    ADD CONSTRAINT failed_attempt_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.run(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.failed_attempt
    ADD CONSTRAINT failed_attempt_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.gap
    ADD CONSTRAINT gap_item_id_fkey FOREIGN KEY (item_id) REFERENCES rrcm.item(item_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.gap
    ADD CONSTRAINT gap_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.run(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.imported_certificate
    ADD CONSTRAINT imported_certificate_of_log FOREIGN KEY (import_id, sigma) REFERENCES rrcm.imported_log(import_id, sigma) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.imported_log
    ADD CONSTRAINT imported_log_import_id_fkey FOREIGN KEY (import_id) REFERENCES rrcm.imported_run(import_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.item
    ADD CONSTRAINT item_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.run(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.item
    ADD CONSTRAINT item_sigma_declared FOREIGN KEY (run_id, sigma) REFERENCES rrcm.certification_sigma(run_id, sigma);

ALTER TABLE ONLY rrcm.job
    ADD CONSTRAINT job_checkpoint_known FOREIGN KEY (checkpoint_digest) REFERENCES rrcm.checkpoint(checkpoint_digest) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY rrcm.job
    ADD CONSTRAINT job_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.run(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.job
    ADD CONSTRAINT job_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.leadership
    ADD CONSTRAINT leadership_part_id_fkey FOREIGN KEY (part_id) REFERENCES rrcm.part(part_id) ON DELETE SET NULL;

ALTER TABLE ONLY rrcm.lease
    ADD CONSTRAINT lease_item_id_fkey FOREIGN KEY (item_id) REFERENCES rrcm.item(item_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.lease
    ADD CONSTRAINT lease_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES rrcm.worker(worker_id);

ALTER TABLE ONLY rrcm.metric
    ADD CONSTRAINT metric_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.run(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.run
    ADD CONSTRAINT run_checkpoint_known FOREIGN KEY (checkpoint_digest) REFERENCES rrcm.checkpoint(checkpoint_digest);

ALTER TABLE ONLY rrcm.run
    ADD CONSTRAINT run_dataset_digest_fkey FOREIGN KEY (dataset_digest) REFERENCES rrcm.dataset(dataset_digest);

ALTER TABLE ONLY rrcm.run
    ADD CONSTRAINT run_depends_on_fkey FOREIGN KEY (depends_on) REFERENCES rrcm.run(run_id);

ALTER TABLE ONLY rrcm.trial_run
    ADD CONSTRAINT trial_run_run_id_fkey FOREIGN KEY (run_id) REFERENCES rrcm.run(run_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.trial_run
    ADD CONSTRAINT trial_run_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES rrcm.trial(trial_id) ON DELETE CASCADE;

ALTER TABLE ONLY rrcm.trial
    ADD CONSTRAINT trial_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES rrcm.sweep(sweep_id) ON DELETE CASCADE;
