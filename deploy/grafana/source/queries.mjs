// PromQL that both dashboards use.

/** What `rate` comes to for each value of these labels that has some; "none" where none has. */
export const parts = (labels, rate) =>
    `sum by (${labels}) (${rate}) > 0 or label_replace(sum(${rate}) == 0, "${labels.split(", ").at(-1)}", "none", "", "")`;
