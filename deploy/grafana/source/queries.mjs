// PromQL that both dashboards use.

/** `rate` for each value of these labels where it is above 0; "none" where it is 0 for all. */
export const parts = (labels, rate) =>
    `sum by (${labels}) (${rate}) > 0 or label_replace(sum(${rate}) == 0, "${labels.split(", ").at(-1)}", "none", "", "")`;
