-- Undoes 0012: the two views and the one that asks them as they were; failed attempts are forgotten.
DROP VIEW rrcm.stranded_item, rrcm.work_attempt;
DROP VIEW rrcm.sweep_progress, rrcm.queue_depth, rrcm.run_progress;

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
    (((COALESCE(items.samples, (0)::bigint))::numeric + COALESCE(votes.samples, (0)::numeric)))::bigint AS samples,
    COALESCE(items.held, (0)::bigint) AS held,
    COALESCE(votes.disagreements, (0)::bigint) AS disagreements,
    r.numerics_ids,
    r.checkpoint_digest,
    r.dataset_digest,
    r.depends_on,
    r.error,
    r.created_at,
    r.started_at,
    r.finished_at,
    (EXTRACT(epoch FROM (COALESCE(r.finished_at, now()) - r.started_at)))::double precision AS elapsed_seconds
   FROM (((rrcm.run r
     LEFT JOIN rrcm.job j USING (run_id))
     LEFT JOIN LATERAL ( SELECT count(*) AS total,
            count(*) FILTER (WHERE (i.state = 'certified'::rrcm.item_state)) AS finished,
            count(*) FILTER (WHERE (i.state = 'held'::rrcm.item_state)) AS held,
            sum((c.n0 + c.n)) AS samples
           FROM (rrcm.item i
             LEFT JOIN rrcm.certificate c ON (((c.item_id = i.item_id) AND (i.state = 'certified'::rrcm.item_state))))
          WHERE (i.run_id = r.run_id)
         HAVING (count(*) > 0)) items ON (true))
     LEFT JOIN LATERAL ( SELECT ( SELECT sum(drawn.samples) AS sum
                   FROM (rrcm.item i
                     CROSS JOIN LATERAL ( SELECT sum(k.samples) AS samples
                           FROM rrcm.chunk_count k
                          WHERE (k.item_id = i.item_id)) drawn)
                  WHERE ((i.run_id = r.run_id) AND (i.state <> 'certified'::rrcm.item_state) AND (i.next_unit > 0))) AS samples,
            ( SELECT count(*) AS count
                   FROM (rrcm.disagreement d
                     JOIN rrcm.item i USING (item_id))
                  WHERE (i.run_id = r.run_id)) AS disagreements) votes ON (true));
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
COMMENT ON COLUMN rrcm.run_progress.held IS 'Items held because votes disagree';
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
          WHERE ((w.state = 'live'::rrcm.worker_state) AND ((r.numerics_ids = '{}'::text[]) OR (w.numerics_ids && r.numerics_ids)))))) AS stranded
   FROM ((((rrcm.run r
     LEFT JOIN LATERAL ( SELECT sum((i.unit_count - i.next_unit)) AS units
           FROM rrcm.item i
          WHERE ((i.run_id = r.run_id) AND (i.state = 'open'::rrcm.item_state))) items ON (true))
     LEFT JOIN LATERAL ( SELECT sum((g.hi - g.lo)) AS units
           FROM rrcm.gap g
          WHERE (g.run_id = r.run_id)) gaps ON (true))
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
COMMENT ON COLUMN rrcm.queue_depth.ready IS 'Units nobody holds';
COMMENT ON COLUMN rrcm.queue_depth.leased IS 'Units held by workers';
COMMENT ON COLUMN rrcm.queue_depth.oldest_seconds IS 'Seconds since the run was planned';
COMMENT ON COLUMN rrcm.queue_depth.stranded IS 'True when no live worker has shown to compute one of its numerics ids';

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

DROP TABLE rrcm.failed_attempt;
DROP TYPE rrcm.attempt_outcome;
ALTER TABLE rrcm.gap DROP COLUMN suspect;
ALTER TABLE rrcm.run DROP COLUMN stranded_at;
